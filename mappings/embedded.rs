//! The mappings that `scim-bridge demo` brings along: names and texts, nothing else.

/// The app that `demo` takes when none is named.
pub const DEFAULT: &str = "altr";

/// Name and text of each mapping; a stand-in of the same name plays the app.
pub const ALL: &[(&str, &str)] = &[
    ("activtrak", include_str!("activtrak/activtrak.yaml")),
    ("alloy", include_str!("alloy/alloy.yaml")),
    ("alphasense", include_str!("alphasense/alphasense.yaml")),
    ("altr", include_str!("altr/altr.yaml")),
    ("atlan", include_str!("atlan/atlan.yaml")),
    ("directory", include_str!("directory/directory.yaml")),
];
