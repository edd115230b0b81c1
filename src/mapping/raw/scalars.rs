//! Readers of texts, numbers, times and sizes.

use std::time::Duration;

use serde_json::Value;

use super::read::{Read, wrong};
use super::shape::Shape;
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

impl Read for String {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Scalar(Value::String(text)) => Some(text.clone()),
            NodeKind::Scalar(Value::Number(_) | Value::Bool(_)) => {
                report.error_help(
                    "M0203",
                    node.span.clone(),
                    format!("a text is expected here, not {}", node.describe()),
                    "put it in quotes",
                );
                None
            }
            _ => {
                wrong(node, report, "a text");
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Text
    }
}

impl Read for bool {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match node.kind {
            NodeKind::Scalar(Value::Bool(value)) => Some(value),
            _ => {
                wrong(node, report, "true or false");
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Truth
    }
}

impl Read for u64 {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match &node.kind {
            NodeKind::Scalar(Value::Number(number)) if number.is_u64() => number.as_u64(),
            _ => {
                wrong(node, report, "a whole number");
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Whole
    }
}

impl Read for Duration {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        let parsed = match &node.kind {
            NodeKind::Scalar(Value::String(text)) => duration(text),
            NodeKind::Scalar(Value::Number(number)) if number.as_u64() == Some(0) => {
                Some(Duration::ZERO)
            }
            _ => None,
        };
        if parsed.is_none() {
            report.error_help(
                "M0203",
                node.span.clone(),
                "a time is expected here",
                "write a number with its unit: 500ms, 15s, 10m, 4h, 30d",
            );
        }
        parsed
    }

    fn shape() -> Shape {
        Shape::Time
    }
}

fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// A share of a hundred (`5%`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Percent(pub u64);

impl Read for Percent {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        let number = node.text().and_then(|text| text.strip_suffix('%')?.parse().ok());
        let parsed = number.filter(|number| *number <= 100).map(Self);
        if parsed.is_none() {
            let at = node.span.clone();
            report.error_help("M0203", at, "a share is expected here", "write 5% (0% to 100%)");
        }
        parsed
    }

    fn shape() -> Shape {
        Shape::Percent
    }
}

/// A size in bytes (`32MiB`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes(pub u64);

/// `max_answer`: bytes with a unit.
impl Read for Bytes {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        let parsed = node.text().and_then(|text| {
            let split = text.find(|c: char| !c.is_ascii_digit())?;
            let (number, unit) = text.split_at(split);
            let factor = match unit {
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                "GiB" => 1 << 30,
                _ => return None,
            };
            number.parse::<u64>().ok()?.checked_mul(factor).map(Self)
        });
        if parsed.is_none() {
            let at = node.span.clone();
            report.error_help(
                "M0203",
                at,
                "a size is expected here",
                "write 512KiB, 32MiB or 1GiB",
            );
        }
        parsed
    }

    fn shape() -> Shape {
        Shape::Size
    }
}
