//! Walking the pages of a list: which page comes next, and when a walk must not be believed.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::call::Call;
use super::condition::is_present;
use super::error::{PagingError, Unreadable};
use super::link::{self, NextLink};
use super::path::JsonPath;
use super::roots::Roots;
use super::template::scalar_text;
use super::wire::Answer;

/// `paging:`, compiled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PagingRule {
    pub by: PagingBy,
    pub first: u64,
    pub size: Option<u64>,
    pub next: Option<NextFrom>,
    pub more: Option<JsonPath>,
    pub total: Option<JsonPath>,
}

/// Where the next cursor or link is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NextFrom {
    /// A path into the answer.
    Path(JsonPath),
    /// The header `link`, RFC 8288.
    LinkHeader,
}

/// How pages follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PagingBy {
    Offset,
    Page,
    Cursor,
    Link,
    None,
}

/// A page of a walk: what the request needs, and what was seen so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    offset: u64,
    number: u64,
    cursor: Option<Value>,
    /// Where it is, if the page before it said so.
    link: Option<NextLink>,
    size: Option<u64>,
    /// Rows of the pages before this one.
    rows: u64,
    total: Option<u64>,
    /// Digests of the pages and cursors before this one.
    seen: HashSet<u64>,
    /// Nothing may be missed: where the app does not say which page is the last, only an empty
    /// one is.
    whole: bool,
}

impl Page {
    /// The first page of a walk over everything the app has. A look-up ends at a page that is
    /// not full; here the app may have given fewer rows than it was asked for.
    #[must_use]
    pub fn of_everything(mut self) -> Self {
        self.whole = true;
        self
    }

    /// The root `page`. A missing cursor leaves its key out.
    pub(crate) fn root(&self) -> Value {
        let mut root = json!({ "offset": self.offset, "number": self.number });
        if let Some(size) = self.size {
            root["size"] = size.into();
        }
        if let Some(cursor) = &self.cursor {
            root["cursor"] = cursor.clone();
        }
        root
    }

    /// Where it is, if the page before it said so.
    pub(crate) fn link(&self) -> Option<&NextLink> {
        self.link.as_ref()
    }

    /// Rows of the pages before this one.
    pub fn rows_before(&self) -> u64 {
        self.rows
    }
}

impl Call {
    /// The first page; None if the call is not paged.
    pub fn first_page(&self) -> Option<Page> {
        let rule = self.paging.as_ref().filter(|rule| rule.by != PagingBy::None)?;
        let (offset, number) = match rule.by {
            PagingBy::Page => (0, rule.first),
            _ => (rule.first, 1),
        };
        Some(Page {
            offset,
            number,
            cursor: None,
            link: None,
            size: rule.size,
            rows: 0,
            total: None,
            seen: HashSet::new(),
            whole: false,
        })
    }

    /// Whether pages are counted, by offset or number: a row that comes or goes then moves all
    /// rows behind it to other pages.
    pub fn counts_pages(&self) -> bool {
        let by = self.paging.as_ref().map(|rule| rule.by);
        matches!(by, Some(PagingBy::Offset | PagingBy::Page))
    }

    /// The number of all rows, where `total` says so.
    pub fn total(&self, answer: &Answer) -> Option<u64> {
        let path = self.paging.as_ref()?.total.as_ref()?;
        let roots = Roots::new().with_answer(answer);
        match path.all(&roots).first()? {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        }
    }

    /// The page after this one; None if this was the last.
    ///
    /// # Errors
    /// [`PagingError`]: the walk must be given up; after `TotalChanged` it may be begun once
    /// more.
    pub fn next_page(&self, page: Page, answer: &Answer) -> Result<Option<Page>, PagingError> {
        let Some(rule) = &self.paging else {
            return Ok(None);
        };
        let call = || self.name().to_owned();
        let came = self.raw_rows(answer)?;
        let here = came.len() as u64;
        let rows = page.rows + here;
        let total = self.total(answer);
        if rule.total.is_some() && total.is_none() {
            return Err(self.unreadable("`paging.total` is missing or no number").into());
        }
        if let (Some(before), Some(now)) = (page.total, total)
            && before != now
        {
            return Err(PagingError::TotalChanged { call: call(), before, now });
        }
        let roots = Roots::new().with_answer(answer);
        let cursor = match &rule.next {
            Some(NextFrom::Path(path)) => path.all(&roots).first().map(|v| (*v).clone()),
            Some(NextFrom::LinkHeader) => link::next_in(answer).map(Value::String),
            None => None,
        };
        let cursor = cursor.filter(is_present);
        let whole = page.whole;
        let come = Come { here, rows, total, whole };
        if self.is_last(rule, &roots, cursor.as_ref(), come)? {
            return match total {
                Some(total) if rows < total => {
                    Err(PagingError::Short { call: call(), total, found: rows })
                }
                _ => Ok(None),
            };
        }
        let mut seen = page.seen;
        let is_new = seen.insert(digest(&came, cursor.as_ref()));
        if !is_new || (cursor.is_some() && cursor == page.cursor) {
            return Err(PagingError::Repeated { call: call() });
        }
        let link = match (rule.by, &cursor) {
            (PagingBy::Link, Some(url)) => Some(self.linked(url, &mut seen)?),
            _ => None,
        };
        Ok(Some(Page {
            // The app may give fewer rows than asked for; the next page begins behind them.
            offset: page.offset + here,
            number: page.number + 1,
            cursor,
            link,
            size: page.size,
            rows,
            total,
            seen,
            whole,
        }))
    }

    /// Where a link leads; one that was followed before leads nowhere.
    fn linked(&self, url: &Value, seen: &mut HashSet<u64>) -> Result<NextLink, PagingError> {
        let text = url.as_str().unwrap_or_default();
        let link = link::resolve(text, &self.base_url).map_err(|why| self.unreadable(why))?;
        let mut hasher = DefaultHasher::new();
        link.hash(&mut hasher);
        if !seen.insert(hasher.finish()) {
            return Err(PagingError::Repeated { call: self.name().to_owned() });
        }
        Ok(link)
    }

    fn is_last(
        &self,
        rule: &PagingRule,
        roots: &Roots,
        cursor: Option<&Value>,
        Come { here, rows, total, whole }: Come,
    ) -> Result<bool, PagingError> {
        if rule.next.is_some() && cursor.is_none() {
            return Ok(true);
        }
        if let Some(cursor) = cursor
            && scalar_text(cursor).is_none()
        {
            return Err(self.unreadable("`paging.next` is no text and no number").into());
        }
        if let Some(path) = &rule.more {
            match path.all(roots).first() {
                Some(Value::Bool(false)) => return Ok(true),
                Some(Value::Bool(true)) => {}
                // XML has texts only.
                Some(Value::String(more)) if more == "false" => return Ok(true),
                Some(Value::String(more)) if more == "true" => {}
                _ => {
                    return Err(self
                        .unreadable("`paging.more` is missing or not true or false")
                        .into());
                }
            }
        }
        if total.is_some_and(|total| rows >= total) {
            return Ok(true);
        }
        if rule.by == PagingBy::None {
            return Ok(true);
        }
        let says_when = rule.next.is_some() || rule.more.is_some() || total.is_some();
        // An empty page ends every walk; whether it ended too early is for the total to say.
        let empty = here == 0;
        let short = rule.size.is_some_and(|size| here < size);
        Ok(match says_when {
            true => empty && rule.next.is_none(),
            false => empty || (short && !whole),
        })
    }

    pub(crate) fn unreadable(&self, why: &str) -> Unreadable {
        Unreadable { call: self.name().to_owned(), why: why.to_owned() }
    }
}

/// What came by now.
#[derive(Clone, Copy)]
struct Come {
    /// Rows of this page.
    here: u64,
    /// Rows with this page.
    rows: u64,
    total: Option<u64>,
    whole: bool,
}

/// Of the rows alone: beside them apps put times, and the page that they were asked for.
fn digest(rows: &[Value], cursor: Option<&Value>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for row in rows {
        row.to_string().hash(&mut hasher);
    }
    cursor.map(Value::to_string).hash(&mut hasher);
    hasher.finish()
}
