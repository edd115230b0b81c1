//! Stand-in applications.
