//! The apps, one file each.

pub mod altr;
pub mod directory;

use crate::application::App;

/// The app of that name, empty.
pub fn by_name(name: &str) -> Option<App> {
    match name {
        "altr" => Some(App::new(altr::Altr::default())),
        "directory" => Some(App::new(directory::Directory::default())),
        _ => None,
    }
}

/// All names that [`by_name`] knows.
pub fn names() -> &'static [&'static str] {
    &["altr", "directory"]
}
