//! What VirtualBox says is down while its process lives.

use super::*;

#[test]
fn a_vm_at_rest_a_moment_before_its_process_ends_has_not_crashed() {
    let settings = settings();
    for word in ["poweroff", "saved"] {
        let mut monitor = live(&settings);
        assert_eq!(acts(monitor.step(secs(50), Event::Looked(look(&settings, word, true)))), []);
        assert_eq!(acts(monitor.step(secs(52), ended(Ended::Exited(0), false))), [LOOK], "{word}");
    }
    // A VirtualBox that lost the VM never says that it is saved, however long the process hangs.
    let mut monitor = live(&settings);
    assert_eq!(acts(monitor.step(secs(50), Event::Looked(look(&settings, "saved", true)))), []);
    assert_eq!(acts(monitor.step(secs(90), ended(Ended::Exited(0), false))), [LOOK]);
}
