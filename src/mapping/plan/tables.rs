//! Reading tables whose rows come from the app.

use std::sync::Arc;

use serde_json::Value;

use super::read::Walk;
use super::{Ask, PlanError, Taken};
use crate::mapping::answer::Use;
use crate::mapping::learned::Learned;
use crate::mapping::model::Mapping;
use crate::mapping::{Answer, AnswerClass, Roots};

/// Reads tables one after the other, all pages of each; a table is renewed when its last page is
/// there, never by a part.
#[derive(Debug)]
pub struct TablesPlan {
    names: Vec<String>,
    walk: Option<Walk>,
    records: Vec<Value>,
}

impl TablesPlan {
    /// A plan that reads the tables of these names.
    pub fn new(names: Vec<String>) -> Self {
        Self { names, walk: None, records: Vec::new() }
    }

    /// The next page.
    ///
    /// # Errors
    /// When the call cannot be built.
    pub fn next(&mut self, mapping: &Mapping) -> Result<Ask<()>, PlanError> {
        while let Some(table) = self.table(mapping) {
            let walk = self.walk.get_or_insert_with(|| Walk::new(mapping, table.call));
            if let Some(request) = walk.next(mapping, &Roots::new())? {
                return Ok(Ask::Read(request));
            }
            table.learn(std::mem::take(&mut self.records), &mapping.users.vars);
            self.names.remove(0);
            self.walk = None;
        }
        Ok(Ask::Done(()))
    }

    /// Takes one page.
    pub fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let Some(walk) = &mut self.walk else { return Taken::Went };
        let roots = Roots::new();
        let call = mapping.call(walk.call());
        let mut classified = mapping.classify(call, answer, Use::Read, &roots);
        if classified.class == AnswerClass::NotFound {
            // It is not the user or group of the plan that is not there.
            classified.class = AnswerClass::Rejected;
        }
        match Taken::by_class(classified) {
            Taken::Went => {}
            stopped => return stopped,
        }
        match walk.take(mapping, answer, &roots) {
            Ok(rows) => {
                self.records.extend(rows);
                Taken::Went
            }
            Err(why) => Taken::Unreadable(why.to_string()),
        }
    }

    fn table<'m>(&mut self, mapping: &'m Mapping) -> Option<&'m Arc<Learned>> {
        self.names.retain(|name| mapping.table(name).is_some());
        mapping.table(self.names.first()?)
    }
}
