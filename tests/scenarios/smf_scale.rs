//! Many at once: programs, instances, hosts.

mod support;

use std::time::Instant;

use simhost::Host;
use support::{DEFAULT, SERVICE, calls, plain_host, svcadm, svcprop, svcs, wait};

#[test]
fn concurrent_programs_lose_nothing() {
    let host = plain_host();
    host.svccfg(&format!("select {DEFAULT}\naddpg x application\n")).expect_success();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let host = &host;
            scope.spawn(move || {
                for i in 0..10 {
                    host.svccfg(&format!("select {DEFAULT}\nsetprop x/w{writer}-{i} = integer: 1\n")).expect_success();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..5 {
                svcadm(&host, &format!("enable -s {DEFAULT}")).expect_success();
                svcadm(&host, &format!("disable -s {DEFAULT}")).expect_success();
            }
        });
    });
    assert_eq!(svcprop(&host, &format!("-C -p x {DEFAULT}")).stdout.lines().count(), 40);
    assert_eq!((calls(&host, "start"), calls(&host, "stop")), (5, 5));
}

#[test]
fn hosts_do_not_know_each_other() {
    let hosts: Vec<Host> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(plain_host)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    svcadm(&hosts[0], &format!("enable -s {DEFAULT}")).expect_success();
    for (i, host) in hosts.iter().enumerate() {
        assert_eq!(host.state(DEFAULT).as_deref(), Some(if i == 0 { "online" } else { "disabled" }));
    }
}

#[test]
fn a_thousand_instances_do_not_slow_one_down() {
    let host = plain_host();
    let add = |n: usize| {
        format!(
            "add vm{n}\nselect vm{n}\naddpg general framework\nsetprop general/enabled = boolean: false\nunselect\n"
        )
    };
    let commands: String = (0..1000).map(add).collect();
    host.svccfg(&format!("select {SERVICE}\n{commands}")).expect_success();
    wait(&host, "svc:/site/xvm/vbox:vm999", "disabled");
    // Against a host with one instance, so that a slow machine does not matter.
    let small = plain_host();
    let time = |host: &Host, fmri: &str| {
        let best = (0..5).map(|_| {
            let started = Instant::now();
            svcprop(host, &format!("-c -p restarter/state {fmri}")).expect_success();
            started.elapsed()
        });
        best.min().unwrap()
    };
    let (one, many) = (time(&small, DEFAULT), time(&host, "svc:/site/xvm/vbox:vm500"));
    assert!(many < one * 4 + std::time::Duration::from_millis(20), "{one:?} alone, {many:?} among a thousand");
    assert_eq!(svcs(&host, "-aHo fmri svc:/site/xvm/vbox:*").stdout.lines().count(), 1001);
    svcadm(&host, "enable -s svc:/site/xvm/vbox:vm500").expect_success();
}
