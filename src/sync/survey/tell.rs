//! Surveys as commands begin them and show them: plain JSON with stable keys.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::command::{Command, CommandError};
use super::super::engine::Engine;
use super::found::Counts;
use super::repair::RepairOrder;
use crate::journal::{Finding, Journal, Survey, SurveyId, SurveyKind};

/// Findings of one page at most.
const MOST: u32 = 500;

impl Engine {
    /// Carries out a command that begins something; `None`: it is none of these.
    pub(in crate::sync) async fn survey_command(
        self: &Arc<Self>,
        command: &Command,
    ) -> Option<Result<Value, CommandError>> {
        Some(match command {
            Command::ImportBegin { app } => self.begun(app, SurveyKind::Import).await,
            Command::ReconcileBegin { app } => self.begun(app, SurveyKind::Reconcile).await,
            Command::ReconcileApply { app, survey, only, user, max, force } => {
                let repair = match super::repair_of(only.as_deref()) {
                    Ok(repair) => repair,
                    Err(error) => return Some(Err(error)),
                };
                let (only, max, force) = (user.clone(), *max, *force);
                let order = RepairOrder { repair, only, max, force };
                let begun = self.begin_repair(app, SurveyId(*survey), order).await;
                begun.map(|planned| json!({ "survey": survey, "planned": planned }))
            }
            _ => return None,
        })
    }

    async fn begun(self: &Arc<Self>, app: &str, kind: SurveyKind) -> Result<Value, CommandError> {
        let id = self.begin_survey(app, kind).await?;
        Ok(json!({ "survey": id.0 }))
    }
}

/// A survey with its numbers.
///
/// # Errors
/// When there is none.
pub(in crate::sync) async fn show(
    journal: &Journal,
    app: &str,
    survey: Option<i64>,
) -> Result<Value, CommandError> {
    let found = journal.survey(app, survey.map(SurveyId)).await.map_err(CommandError::journal)?;
    let survey = found.ok_or_else(|| {
        CommandError::finding(&format!("nothing is known of such a walk over '{app}'"))
    })?;
    Ok(survey_json(&survey))
}

/// A page of what a survey found.
///
/// # Errors
/// When the journal does not answer.
pub(in crate::sync) async fn findings(
    journal: &Journal,
    survey: i64,
    after: i64,
    limit: u32,
) -> Result<Value, CommandError> {
    let limit = limit.clamp(1, MOST);
    let page = journal.findings(SurveyId(survey), after, limit).await;
    let page = page.map_err(CommandError::journal)?;
    let is_full = u32::try_from(page.len()).is_ok_and(|count| count == limit);
    let next = page.last().filter(|_| is_full).map(|last| last.pos);
    Ok(json!({ "findings": page.iter().map(finding_json).collect::<Value>(), "next": next }))
}

fn survey_json(survey: &Survey) -> Value {
    let counts = Counts::read(&survey.counts);
    json!({
        "survey": survey.id.0,
        "app": survey.app,
        "kind": survey.kind,
        "by": survey.by,
        "state": survey.state,
        "words": survey.words,
        "began": survey.began_at.to_string(),
        "ended": survey.ended_at.map(|at| at.to_string()),
        "counts": counts.store(),
    })
}

fn finding_json(finding: &Finding) -> Value {
    let mut shown = finding.body.clone();
    shown["id"] = finding.resource.as_ref().map(|id| id.0.clone()).into();
    shown["change"] = finding.change.map(|change| change.0).into();
    if let Some(attributes) = shown.get_mut("attributes").and_then(Value::as_array_mut) {
        for attribute in attributes.iter_mut().filter_map(Value::as_object_mut) {
            attribute.remove("slots");
        }
    }
    shown
}
