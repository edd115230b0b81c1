//! What each answer to a call would mean: its rows, the mapping's, the built-in ones, in words.

use super::word_of;
use crate::mapping::call::Call;
use crate::mapping::model::Mapping;
use crate::mapping::wire::{AnswerClass, InDoubtRule, StepClass};

/// An answer and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// Which answers: `status 400, body.code eq "x"`, `no answer`.
    pub on: String,
    /// What they mean, in the language's word.
    pub is: &'static str,
    /// What the bridge does.
    pub then: &'static str,
    /// The same for every call of every mapping.
    pub common: bool,
}

impl Mapping {
    /// What the answers to a call mean, in the order in which they are looked at.
    pub fn meanings(&self, call: &Call) -> Vec<Meaning> {
        let reads = call.class() == StepClass::Read;
        let rows = call.errors.iter().chain(&self.rules.errors).map(|row| {
            let words = row.describe();
            let on = words.rsplit_once(": ").map_or(words.as_str(), |(on, _)| on).to_owned();
            let then = consequence(row.is, call, reads);
            Meaning { on, is: word_of(row.is), then, common: false }
        });
        let mut meanings: Vec<Meaning> = rows.collect();
        let mut built_in = |on: &str, class: AnswerClass| {
            let then = consequence(class, call, reads);
            let common = !matches!(class, AnswerClass::NotFound | AnswerClass::Unsure)
                && !on.starts_with("no answer");
            meanings.push(Meaning { on: on.to_owned(), is: word_of(class), then, common });
        };
        built_in("2xx", AnswerClass::Ok);
        built_in("401", AnswerClass::LoginAgain);
        built_in("403", AnswerClass::Forbidden);
        built_in("404", AnswerClass::NotFound);
        built_in("409", AnswerClass::Conflict);
        built_in("412", AnswerClass::Changed);
        built_in("429, 503 with Retry-After", AnswerClass::Retry);
        let broken = if reads { AnswerClass::Retry } else { AnswerClass::Unsure };
        built_in("no answer, 404 in HTML, 408, 425, other 5xx", broken);
        built_in("any other", AnswerClass::Rejected);
        meanings
    }
}

fn consequence(class: AnswerClass, call: &Call, reads: bool) -> &'static str {
    match class {
        AnswerClass::Ok | AnswerClass::AlreadyDone => "it goes on",
        AnswerClass::Retry => "it waits and tries again",
        AnswerClass::Conflict => "it stops; Okta gets 409 uniqueness",
        AnswerClass::NotFound if reads => "nobody is there",
        AnswerClass::NotFound => "it stops; `sync.missing` decides, 404 by default",
        AnswerClass::Rejected => "it stops; Okta gets 400 invalidValue",
        AnswerClass::Forbidden => "it stops; Okta gets 403",
        AnswerClass::Changed => "it reads and plans again",
        AnswerClass::LoginAgain => {
            "it reads secret files again and repeats once; then the app is paused and Okta gets 500"
        }
        AnswerClass::Stop => "the app is paused, an alarm is raised, and Okta gets 500",
        AnswerClass::Look => "nobody knows whether it worked: it looks first",
        AnswerClass::Unsure => match (call.in_doubt(), call.class()) {
            (InDoubtRule::Stop, _) => "the change is parked for a person",
            (InDoubtRule::Resend, class) if class != StepClass::Create => "it is sent again",
            _ => "nobody knows whether it worked: it looks first, and sends again only if not",
        },
    }
}
