//! Who may use a volume's device nodes, kept in the volume itself.
//!
//! The system forgets owner, group, mode and ACL of the nodes below `/dev/zvol` when the pool is imported again. Here
//! they are kept in the volume's properties `owner:user`, `owner:group`, `owner:chmod` and `owner:acl`. [`rights`]
//! reads, checks and compares them and does no I/O; [`nodes`] looks at nodes and changes them.

pub mod nodes;
pub mod rights;
