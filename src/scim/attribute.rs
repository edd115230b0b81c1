//! One attribute of a schema, with its characteristics (RFC 7643 section 2.2 and 7).
//!
//! A description only: it judges no values (see `cast`) and compares none (see `compare`).

use serde_json::Value;

/// The data types of RFC 7643 section 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// Text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A number that may have a fraction.
    Decimal,
    /// A whole number.
    Integer,
    /// A date and time, `2008-01-23T04:56:22Z`.
    DateTime,
    /// Base64.
    Binary,
    /// A URI.
    Reference,
    /// Sub-attributes.
    Complex,
}

impl AttributeType {
    /// The word in a schema document.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may write the attribute, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// Only the service provider.
    ReadOnly,
    /// The client, at any time.
    ReadWrite,
    /// The client, once.
    Immutable,
    /// The client; it can never be read (password).
    WriteOnly,
}

impl Mutability {
    /// The word in a schema document.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

/// When the attribute is part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// In every answer, whatever was asked for.
    Always,
    /// In none.
    Never,
    /// Unless excluded.
    Default,
    /// Only when asked for by name.
    Request,
}

impl Returned {
    /// The word in a schema document.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
            Self::Request => "request",
        }
    }
}

/// Among which resources a value must be the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uniqueness {
    /// None.
    None,
    /// Those of this server and resource type.
    Server,
    /// All there are.
    Global,
}

impl Uniqueness {
    /// The word in a schema document.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Global => "global",
        }
    }
}

/// An attribute or sub-attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// The name in its canonical spelling; compared ignoring ASCII case.
    pub name: String,
    /// The data type.
    pub kind: AttributeType,
    /// A list of values.
    pub multi_valued: bool,
    /// A resource must have a value.
    pub required: bool,
    /// Text is compared with its case.
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When it is shown.
    pub returned: Returned,
    /// Where it must be unique.
    pub uniqueness: Uniqueness,
    /// Suggested values; binding only where a mapping says so.
    pub canonical_values: Vec<Value>,
    /// What a reference may point at: resource type names, `external`, `uri`.
    pub reference_types: Vec<String>,
    /// The parts of a complex attribute; empty for others.
    pub sub_attributes: Vec<Attribute>,
    /// What it is, for people.
    pub description: String,
}

impl Attribute {
    /// An optional single-valued read-write attribute. References and binaries are case
    /// exact (RFC 7643 sections 2.3.6 and 2.3.7), all others are not.
    pub fn new(name: &str, kind: AttributeType, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            multi_valued: false,
            required: false,
            case_exact: matches!(kind, AttributeType::Reference | AttributeType::Binary),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: Vec::new(),
            reference_types: Vec::new(),
            sub_attributes: Vec::new(),
            description: description.to_owned(),
        }
    }

    /// A text, as [`Attribute::new`].
    pub fn text(name: &str, description: &str) -> Self {
        Self::new(name, AttributeType::String, description)
    }

    /// A complex attribute with these parts.
    pub fn complex(name: &str, description: &str, parts: Vec<Self>) -> Self {
        let mut attribute = Self::new(name, AttributeType::Complex, description);
        attribute.sub_attributes = parts;
        attribute
    }

    /// A reference to these kinds of resources.
    pub fn reference(name: &str, description: &str, types: &[&str]) -> Self {
        let mut attribute = Self::new(name, AttributeType::Reference, description);
        attribute.reference_types = types.iter().map(|t| (*t).to_owned()).collect();
        attribute
    }

    /// The same, as a list.
    pub fn multi(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    /// The same, required.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, compared with case.
    pub fn exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    /// The same with another mutability.
    pub fn mutability(mut self, mutability: Mutability) -> Self {
        self.mutability = mutability;
        self
    }

    /// The same, written by the service provider only.
    pub fn read_only(self) -> Self {
        self.mutability(Mutability::ReadOnly)
    }

    /// The same with another rule of when it is shown.
    pub fn returned(mut self, returned: Returned) -> Self {
        self.returned = returned;
        self
    }

    /// The same with another uniqueness.
    pub fn unique(mut self, uniqueness: Uniqueness) -> Self {
        self.uniqueness = uniqueness;
        self
    }

    /// The same with suggested values.
    pub fn canonical(mut self, values: &[&str]) -> Self {
        self.canonical_values = values.iter().map(|v| Value::from(*v)).collect();
        self
    }

    /// The sub-attribute of this name, ignoring ASCII case.
    pub fn sub(&self, name: &str) -> Option<&Self> {
        self.sub_attributes.iter().find(|sub| sub.is_named(name))
    }

    /// Whether this is its name (RFC 7643 section 2.1: names ignore case).
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it has parts.
    pub fn is_complex(&self) -> bool {
        self.kind == AttributeType::Complex
    }

    /// A complex attribute with one value: its parts are slots of their own.
    pub(crate) fn has_slots_inside(&self) -> bool {
        self.is_complex() && !self.multi_valued
    }

    /// Whether a client may write it.
    pub fn is_writable(&self) -> bool {
        self.mutability != Mutability::ReadOnly
    }
}
