//! SMF as this program sees it: the words of its tools, read into plain data.
//!
//! Nothing here knows VirtualBox, and nothing here decides: it reads what SMF says and says what SMF should do.

pub mod svcprop;
