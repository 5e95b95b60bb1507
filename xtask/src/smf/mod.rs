//! The SMF manifests: rendered from the runtime's table of settings, and checked before they go anywhere.

pub mod check;
pub mod render;
