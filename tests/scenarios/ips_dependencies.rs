//! What `pkg install` does about a dependency on VirtualBox: the whole table that the real pkg was tried with, cell by
//! cell.
//!
//! `pkg` is this project's stand-in.

// Clippy does not take this for a test, which may unwrap.
#![allow(clippy::unwrap_used)]

mod ips_support;

use ips_support::*;

const OI: &str = "system/virtualbox";
const OMNI: &str = "ooce/virtualization/virtualbox";
const OWN: &str = "service/vboxsvc";

/// How a host's VirtualBox came: not by IPS at all, not yet, or by one of two distributions' packages.
const SCENARIOS: [&str; 4] = ["none", "known", "oi", "omni"];

/// The end of a cell: what is installed then, or the reason why nothing is.
type Cell = Result<&'static [&'static str], &'static str>;

fn virtualbox(name: &str) -> Sample {
    Sample::new(name, "7.1.12,5.11:20260101T000000Z").file(&format!("opt/{}", name.replace('/', "-")), name, "")
}

fn play(depend: &str, cells: [Cell; 4]) {
    for (scenario, wanted) in SCENARIOS.into_iter().zip(cells) {
        let rig = Rig::new();
        // An image of its own root, so that it can be told from that of the system.
        let root = rig.at("alternate");
        let pkg = |words: &[&str]| rig.pkg(&[&["-R", root.to_str().unwrap()], words].concat());
        std::fs::remove_dir(rig.at("var/pkg")).unwrap();
        rig.pkg(&["image-create", root.to_str().unwrap()]).expect_success();
        let both = rig.archive("virtualbox", &archive_of(&[virtualbox(OI), virtualbox(OMNI)]));
        match scenario {
            "known" => drop(pkg(&["set-publisher", "-p", &both]).expect_success()),
            "oi" => drop(pkg(&["install", "-g", &both, OI]).expect_success()),
            "omni" => drop(pkg(&["install", "-g", &both, OMNI]).expect_success()),
            _ => {}
        }
        let own = Sample::new(OWN, "0.20.0,5.11:20260101T000000Z").line(&format!("depend {depend}"));
        let own = rig.archive("own", &archive_of(&[own]));
        let ran = pkg(&["install", "-g", &own, OWN]);
        let installed = pkg(&["list", "-H"]).stdout;
        let installed: Vec<&str> = installed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let cell = format!("[depend {depend}] {scenario}: {}", ran.stderr);
        match wanted {
            Ok(packages) => assert_eq!((ran.code, installed.as_slice()), (0, packages), "{cell}"),
            Err(reason) => {
                let before = match scenario {
                    "oi" => vec![OI],
                    "omni" => vec![OMNI],
                    _ => vec![],
                };
                assert_eq!((ran.code, installed), (1, before), "{cell}");
                assert!(ran.stderr.contains(reason), "{cell}");
            }
        }
    }
}

const ALONE: Cell = Ok(&[OWN]);
const WITH_OI: Cell = Ok(&[OWN, OI]);
const WITH_OMNI: Cell = Ok(&[OMNI, OWN]);

#[test]
fn require_wants_this_one_package() {
    let none = Err("Reason:  No version for 'require' dependency on system/virtualbox can be found");
    play("type=require fmri=pkg:/system/virtualbox", [none, WITH_OI, WITH_OI, none]);
    let parent = Err("Reason:  No version for 'require' dependency on feature/package/dependency/self can be found");
    play("type=require fmri=feature/package/dependency/self", [parent; 4]);
}

#[test]
fn require_any_wants_one_of_several_and_names_the_first() {
    let none = Err("Reason:  No version for 'require-any' dependency on system/virtualbox can be found");
    play(
        "type=require-any fmri=pkg:/system/virtualbox fmri=pkg:/ooce/virtualization/virtualbox",
        [none, WITH_OMNI, WITH_OI, WITH_OMNI],
    );
    let none = Err("Reason:  No version for 'require-any' dependency on SUNWvbox can be found");
    play("type=require-any fmri=pkg:/SUNWvbox fmri=pkg:/system/virtualbox", [none, WITH_OI, WITH_OI, none]);
}

#[test]
fn optional_wants_a_version_of_what_is_there() {
    play("type=optional fmri=pkg:/system/virtualbox@3.0.12", [ALONE, ALONE, WITH_OI, WITH_OMNI]);
    let too_new = Err("Reason:  No version for 'optional' dependency on system/virtualbox@8.0 can be found");
    play("type=optional fmri=pkg:/system/virtualbox@8.0", [ALONE, ALONE, too_new, WITH_OMNI]);
}

#[test]
fn group_takes_what_it_can_get() {
    play("type=group fmri=pkg:/system/virtualbox", [ALONE, WITH_OI, WITH_OI, WITH_OMNI]);
    play(
        "type=group-any fmri=pkg:/system/virtualbox fmri=pkg:/ooce/virtualization/virtualbox",
        [ALONE, WITH_OMNI, WITH_OI, WITH_OMNI],
    );
}

#[test]
fn conditional_wants_the_one_where_the_other_is() {
    let none = Err("Reason:  No version for 'conditional' dependency on ooce/virtualization/virtualbox can be found");
    play(
        "type=conditional predicate=pkg:/system/virtualbox fmri=pkg:/ooce/virtualization/virtualbox",
        [ALONE, ALONE, none, WITH_OMNI],
    );
}

#[test]
fn origin_asks_what_was_there_before_here_or_on_the_system() {
    play("type=origin fmri=pkg:/system/virtualbox@3.0", [ALONE, ALONE, WITH_OI, WITH_OMNI]);
    let no_image = Err("pkg install: No image rooted at '/'");
    play("type=origin root-image=true fmri=pkg:/system/virtualbox@3.0", [no_image; 4]);
}

#[test]
fn exclude_does_not_stand_the_other() {
    let there = Err("Reason:  Package contains 'exclude' dependency system/virtualbox on installed package");
    play("type=exclude fmri=pkg:/system/virtualbox", [ALONE, ALONE, there, WITH_OMNI]);
}

#[test]
fn parent_concerns_linked_images_only() {
    play("type=parent fmri=feature/package/dependency/self", [ALONE, ALONE, WITH_OI, WITH_OMNI]);
}
