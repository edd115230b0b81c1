//! What may be written at a place of a mapping file, as data for editors and for the reference.
//!
//! Says nothing about what names mean: that `send` names a field of the table is `compile`'s.

/// What may stand at a place.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// A VALUE of the language: anything.
    Value,
    /// Nothing, written `null`.
    Null,
    /// A text.
    Text,
    /// A text, or a number or truth value that is taken as one.
    Scalar,
    /// `true` or `false`.
    Truth,
    /// A whole number, not below zero.
    Whole,
    /// A time with its unit, or 0.
    Time,
    /// A size with its unit.
    Size,
    /// A share of a hundred, with its sign.
    Percent,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A list of these.
    List(Box<Shape>),
    /// A list of exactly one.
    Single(Box<Shape>),
    /// A block whose keys are names of the author.
    Names(Box<Shape>),
    /// One of these, which are told apart by their kind.
    Either(Vec<Shape>),
    /// A VALUE; but a block with one of these keys is that block, the first that fits.
    Keyed(Vec<(&'static str, Shape)>),
    /// A block with fixed keys.
    Block(BlockShape),
}

/// A block with fixed keys.
#[derive(Debug, Clone)]
pub(crate) struct BlockShape {
    /// The raw type's name: the same block at two places has one name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Keys that must be there.
    pub required: &'static [&'static str],
    /// All keys, in the order of the reference.
    pub keys: Vec<KeyShape>,
}

/// One key of a block.
#[derive(Debug, Clone)]
pub(crate) struct KeyShape {
    /// The key.
    pub name: &'static str,
    /// What it means; after `Example:` stands one, as YAML.
    pub about: &'static str,
    /// What may be written there.
    pub shape: Shape,
}

impl Shape {
    /// A list of these.
    pub(crate) fn list(of: Shape) -> Self {
        Self::List(Box::new(of))
    }
}

impl KeyShape {
    /// The meaning without the example.
    pub(crate) fn meaning(&self) -> &'static str {
        self.about.split_once(EXAMPLE).map_or(self.about, |(meaning, _)| meaning).trim()
    }

    /// The example, as YAML.
    pub(crate) fn example(&self) -> Option<&'static str> {
        self.about.split_once(EXAMPLE).map(|(_, example)| example.trim())
    }
}

/// What parts a key's meaning from its example.
pub(crate) const EXAMPLE: &str = "Example:";
