//! How a node becomes a raw type: the readers, and the macro that makes a block of keys.
//!
//! Every reader reports what is wrong and goes on, so that one load shows all mistakes.

use std::ops::{Deref, Range};

use super::shape::{EXAMPLE, Shape};
use crate::mapping::diagnostic::Report;
use crate::mapping::names;
use crate::mapping::source::{Entry, Node, NodeKind};

/// Bytes of the file.
pub(crate) type Span = Range<usize>;

/// A raw type: how it is read, and what an editor may be told about it. The two stand together
/// so that no key can be read that the schema does not know.
pub(crate) trait Read: Sized {
    /// From a node; None if it was not one, which has then been reported.
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self>;

    /// What may be written here: exactly what `read` takes without a report.
    fn shape() -> Shape;
}

/// A value and where it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Read> Read for Spanned<T> {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        Some(Self { value: T::read(node, report)?, span: node.span.clone() })
    }

    fn shape() -> Shape {
        T::shape()
    }
}

/// A VALUE of the language is kept as it stands; its place decides what it may be.
impl Read for Node {
    fn read(node: &Node, _: &mut Report<'_>) -> Option<Self> {
        Some(node.clone())
    }

    fn shape() -> Shape {
        Shape::Value
    }
}

impl<T: Read> Read for Box<T> {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        T::read(node, report).map(Box::new)
    }

    fn shape() -> Shape {
        T::shape()
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        let NodeKind::List(items) = &node.kind else {
            wrong(node, report, "a list");
            return None;
        };
        Some(items.iter().filter_map(|item| T::read(item, report)).collect())
    }

    fn shape() -> Shape {
        Shape::list(T::shape())
    }
}

/// One value or a list of them.
#[derive(Debug, Clone)]
pub(crate) struct OneOrMany<T>(pub Vec<T>);

impl<T: Read> Read for OneOrMany<T> {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::List(_) => Vec::read(node, report).map(Self),
            _ => T::read(node, report).map(|one| Self(vec![one])),
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![T::shape(), Shape::list(T::shape())])
    }
}

/// A block whose keys are names of the author, in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Pairs<T>(pub Vec<(Spanned<String>, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Read> Read for Pairs<T> {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        let NodeKind::Map(entries) = &node.kind else {
            wrong(node, report, "a block of names");
            return None;
        };
        let pair = |entry: &Entry, report: &mut Report<'_>| {
            let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
            Some((name, T::read(&entry.value, report)?))
        };
        Some(Self(entries.iter().filter_map(|entry| pair(entry, report)).collect()))
    }

    fn shape() -> Shape {
        Shape::Names(Box::new(T::shape()))
    }
}

/// Reports that a node is of the wrong kind.
pub(crate) fn wrong(node: &Node, report: &mut Report<'_>, expected: &str) {
    let found = node.describe();
    report.error("M0203", node.span.clone(), format!("{expected} is expected here, not {found}"));
}

/// A block with a fixed set of keys.
pub(crate) trait Block {
    /// What it is called in messages.
    const WHAT: &'static str;
    /// Its keys and what they mean.
    const KEYS: &'static [(&'static str, &'static str)];
    /// The keys that must be there.
    const REQUIRED: &'static [&'static str];
}

/// The entries of a block, after what is wrong with its keys was reported.
pub(crate) fn open<'n, B: Block>(node: &'n Node, report: &mut Report<'_>) -> Option<&'n [Entry]> {
    let NodeKind::Map(entries) = &node.kind else {
        wrong(node, report, "a block of keys");
        return None;
    };
    for entry in entries {
        let key = entry.key.as_str();
        let at = entry.key_span.clone();
        if B::KEYS.iter().any(|(known, _)| *known == key) {
            continue;
        }
        let help = names::help(key, B::KEYS.iter().map(|(known, _)| *known));
        report.error_help("M0201", at, format!("unknown key `{key}` in {}", B::WHAT), help);
    }
    for key in B::REQUIRED {
        if !entries.iter().any(|entry| entry.key == *key) {
            let meaning = B::KEYS.iter().find(|(known, _)| known == key).map_or("", |(_, d)| d);
            let meaning = meaning.split(EXAMPLE).next().unwrap_or_default();
            report.error_help(
                "M0202",
                node.span.clone(),
                format!("`{key}` is missing in {}", B::WHAT),
                format!("`{key}`: {}", meaning.trim()),
            );
        }
    }
    Some(entries)
}

/// Makes a block: the struct, its reader and the list of its keys with their meaning.
macro_rules! block {
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident in $what:literal {
            $( $(#[doc = $doc:literal])* $key:literal => $field:ident : $ty:ty, )*
        }
        $(required [$($required:literal),* $(,)?])?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Default)]
        #[allow(dead_code)]
        pub(crate) struct $name {
            /// Where the block begins.
            pub span: $crate::mapping::raw::Span,
            $( $(#[doc = $doc])* pub $field: Option<$ty>, )*
        }

        impl $crate::mapping::raw::Block for $name {
            const WHAT: &'static str = $what;
            const KEYS: &'static [(&'static str, &'static str)] =
                &[$( ($key, concat!($($doc),*)) ),*];
            const REQUIRED: &'static [&'static str] = &[$($($required),*)?];
        }

        impl $crate::mapping::raw::Read for $name {
            fn read(
                node: &$crate::mapping::source::Node,
                report: &mut $crate::mapping::diagnostic::Report<'_>,
            ) -> Option<Self> {
                let entries = $crate::mapping::raw::read::open::<Self>(node, report)?;
                let mut block = Self { span: node.span.clone(), ..Self::default() };
                for entry in entries {
                    match entry.key.as_str() {
                        $( $key => {
                            block.$field =
                                <$ty as $crate::mapping::raw::Read>::read(&entry.value, report);
                        } )*
                        _ => {}
                    }
                }
                Some(block)
            }

            fn shape() -> $crate::mapping::raw::Shape {
                $crate::mapping::raw::Shape::Block($crate::mapping::raw::BlockShape {
                    name: stringify!($name),
                    about: concat!($($about),*),
                    required: <Self as $crate::mapping::raw::Block>::REQUIRED,
                    keys: vec![$( $crate::mapping::raw::KeyShape {
                        name: $key,
                        about: concat!($($doc),*),
                        shape: <$ty as $crate::mapping::raw::Read>::shape(),
                    } ),*],
                })
            }
        }
    };
}
pub(crate) use block;

/// Makes an enum of words.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[doc = $doc:literal])* $word:literal => $variant:ident, )* }
        $(later [$($later:literal),* $(,)?])?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $( $(#[doc = $doc])* $variant, )* }

        impl $crate::mapping::raw::Read for $name {
            fn read(
                node: &$crate::mapping::source::Node,
                report: &mut $crate::mapping::diagnostic::Report<'_>,
            ) -> Option<Self> {
                match node.text() {
                    $( Some($word) => return Some(Self::$variant), )*
                    _ => {}
                }
                let later: &[&str] = &[$($($later),*)?];
                if node.text().is_some_and(|word| later.contains(&word)) {
                    $crate::mapping::raw::read::later_word(node, report, &[$($word),*]);
                    return None;
                }
                $crate::mapping::raw::read::wrong_word(node, report, &[$($word),*]);
                None
            }

            fn shape() -> $crate::mapping::raw::Shape {
                $crate::mapping::raw::Shape::Words(&[$($word),*])
            }
        }
    };
}
pub(crate) use words;

/// Reports a word that is not one of those allowed.
pub(crate) fn wrong_word(node: &Node, report: &mut Report<'_>, words: &[&str]) {
    let Some(written) = node.text() else {
        wrong(node, report, &format!("one of the words {}", words.join(", ")));
        return;
    };
    let message = format!("`{written}` is not a word for this key");
    let help = match names::nearest(written, words.iter().copied()) {
        Some(near) => format!("{} Possible: {}", names::did_you_mean(near), words.join(", ")),
        None => format!("possible: {}", words.join(", ")),
    };
    report.error_help("M0204", node.span.clone(), message, help);
}

/// Reports a word that a later version will know.
pub(crate) fn later_word(node: &Node, report: &mut Report<'_>, words: &[&str]) {
    let written = node.text().unwrap_or_default();
    report.error_help(
        "M0901",
        node.span.clone(),
        format!("`{written}` is not supported by this version yet"),
        format!("possible now: {}", words.join(", ")),
    );
}
