//! The apps, one file each.

pub mod activtrak;
pub mod alloy;
pub mod alphasense;
pub mod altr;
pub mod atlan;
pub mod directory;
pub mod teams;

use crate::application::App;

/// The app of that name, empty.
pub fn by_name(name: &str) -> Option<App> {
    match name {
        "activtrak" => Some(App::new(activtrak::Activtrak::default())),
        "alloy" => Some(App::new(alloy::Alloy::default())),
        "alphasense" => Some(App::new(alphasense::AlphaSense::default())),
        "altr" => Some(App::new(altr::Altr::default())),
        "atlan" => Some(App::new(atlan::Atlan::default())),
        "directory" => Some(App::new(directory::Directory::default())),
        "teams" => Some(App::new(teams::Teams::default())),
        _ => None,
    }
}

/// Those that a shipped mapping is for; `teams` is for tests of groups.
pub fn names() -> &'static [&'static str] {
    &["activtrak", "alloy", "alphasense", "altr", "atlan", "directory"]
}
