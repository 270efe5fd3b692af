//! The Debian package under a real systemd: installed, configured, restarted under load, killed, frozen, upgraded, removed, purged.
//!
//! It boots a Debian of its own with `systemd-nspawn`, made once by `debootstrap`; what is done in there stands in
//! `tests/package/inside.sh`. Without root or one of the tools it says so and does nothing.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is needed beside root.
const TOOLS: [&str; 4] = ["systemd-nspawn", "debootstrap", "dpkg-deb", "cargo-deb"];
/// The Debian that is booted.
const RELEASE: &str = "bookworm";
/// Longest time for everything inside, in seconds.
const LONGEST: &str = "600";
/// Runs the script when the system is up, and ends it.
const UNIT: &str = "[Unit]
Description=The test of the package
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /trial/inside.sh
ExecStopPost=/bin/systemctl poweroff --no-block
StandardOutput=append:/trial/log
StandardError=inherit
";

#[test]
fn the_package_installs_runs_upgrades_and_leaves_without_losing_a_request() {
    if let Some(reason) = missing() {
        eprintln!("SKIPPED: the package can't be tried here: {reason}");
        return;
    }
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(root) = debian(project) else {
        eprintln!("SKIPPED: the package can't be tried here: debootstrap can't fetch a Debian to boot");
        return;
    };
    let new = built(project);
    let work = tempfile::tempdir().unwrap();
    for folder in ["old", "new"] {
        fs::create_dir(work.path().join(folder)).unwrap();
    }
    fs::copy(&new, work.path().join("new/tallyhook.deb")).unwrap();
    as_version("0.0.1", &new, &work.path().join("old/tallyhook.deb"));
    fs::copy(project.join("tests/package/inside.sh"), work.path().join("inside.sh")).unwrap();
    fs::write(work.path().join("package-test.service"), UNIT).unwrap();

    let console = boot(&root, work.path());

    let Ok(log) = fs::read_to_string(work.path().join("log")) else {
        eprintln!("SKIPPED: the package can't be tried here: a container does not boot\n{console}");
        return;
    };
    println!("{log}");
    assert!(log.lines().any(|line| line == "finished"), "it did not come to its end\n{console}");
    let failed: Vec<&str> = log.lines().filter(|line| line.starts_with("FAILED")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(log.lines().filter(|line| line.starts_with("ok: ")).count() > 55, "some checks were not made");
}

fn missing() -> Option<String> {
    if fs::metadata("/proc/self").is_ok_and(|me| me.uid() != 0) {
        return Some("it needs root".into());
    }
    let is_there = |tool: &&str| {
        Command::new("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).status().unwrap().success()
    };
    let absent: Vec<&str> = TOOLS.iter().filter(|tool| !is_there(tool)).copied().collect();
    (!absent.is_empty()).then(|| format!("{} not installed", absent.join(", ")))
}

fn run(what: &str, command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{what}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// A small Debian, made once and never written to: what is done in it goes to memory. None where it can't be fetched.
fn debian(project: &Path) -> Option<PathBuf> {
    let root = project.join("target").join(format!("package-test-{RELEASE}"));
    if !root.join("made").exists() {
        let _ = fs::remove_dir_all(&root);
        let options = ["--variant=minbase", "--include=systemd,systemd-sysv,init-system-helpers", RELEASE];
        let output = Command::new("debootstrap").args(options).arg(&root).output().unwrap();
        if !output.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&output.stdout));
            return None;
        }
        fs::write(root.join("made"), "").unwrap();
    }
    Some(root)
}

fn built(project: &Path) -> PathBuf {
    let mut build = Command::new(project.join("packaging/deb"));
    let said = run("packaging/deb", build.env("PROFILE", "dev").current_dir(project));
    project.join(said.lines().last().unwrap().trim())
}

/// The same package under another version.
fn as_version(version: &str, package: &Path, to: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    run("dpkg-deb", Command::new("dpkg-deb").arg("-R").arg(package).arg(&tree));
    for (file, before, after) in [
        ("control", format!("Version: {}", env!("CARGO_PKG_VERSION")), format!("Version: {version}")),
        ("preinst", format!("new={}", env!("CARGO_PKG_VERSION")), format!("new={version}")),
    ] {
        let path = tree.join("DEBIAN").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(&before), "{file} does not name its version:\n{text}");
        fs::write(&path, text.replace(&before, &after)).unwrap();
    }
    run("dpkg-deb", Command::new("dpkg-deb").args(["-Zxz", "-z1", "-b"]).arg(&tree).arg(to));
}

/// Boots, and waits until it has switched itself off; the end of what its console said.
fn boot(root: &Path, work: &Path) -> String {
    let unit = format!("{}:/etc/systemd/system/package-test.service", work.join("package-test.service").display());
    let mut nspawn = Command::new("timeout");
    nspawn
        .args(["--kill-after=10", LONGEST, "systemd-nspawn", "--quiet", "--register=no", "--keep-unit"])
        .args(["--volatile=overlay", "--private-network", "--boot"])
        .arg(format!("--directory={}", root.display()))
        .arg(format!("--bind={}:/trial", work.display()))
        .arg(format!("--bind-ro={unit}"))
        .args(["systemd.firstboot=off", "systemd.unit=multi-user.target", "systemd.wants=package-test.service"])
        .stdin(Stdio::null());
    let output = nspawn.output().unwrap();
    let console = String::from_utf8_lossy(&output.stdout);
    let tail: Vec<&str> = console.lines().rev().take(30).collect();
    tail.into_iter().rev().collect::<Vec<_>>().join("\n")
}
