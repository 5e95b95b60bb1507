//! The distribution toolkit as a library: the two package formats, the manifests and the illumos payload.
//!
//! `svr4` and `ips` know bytes and formats and never which package they write; `contents` reads what ours holds from
//! `pkg/`; `smf`, `manual` and `completion` make files of it from the table of settings and the command line; `trial` makes
//! packages that are only for trying; `tasks` puts them together, one file a command.

pub mod bench;
mod bounded;
mod built;
pub mod completion;
pub mod content;
pub mod contents;
pub mod finding;
pub mod flags;
mod hash;
pub mod ips;
pub mod linked;
pub mod lint;
pub mod manual;
pub mod package_view;
pub mod payload;
pub mod shown;
pub mod signature;
pub mod smf;
pub mod smoke;
pub mod svr4;
pub mod tasks;
pub mod time;
pub mod trial;
pub mod virtualbox_lab;
