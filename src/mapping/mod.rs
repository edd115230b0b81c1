//! Mapping files, pure: from text to a compiled mapping, and what it plans and understands.

mod wire;

pub use wire::{
    Answer, AnswerClass, Body, Classified, Format, HeaderText, InDoubtRule, Kind, Method, Payload,
    PlannedRequest, StepClass,
};
