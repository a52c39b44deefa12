//! What is in the package, as data: where each file comes from, where it goes, and who may change it.

/// A file of the working copy that goes into the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shipped {
    /// Its path in the working copy.
    pub(super) from: &'static str,
    /// Its path on the machine, without the first `/`.
    pub(super) to: &'static str,
    /// What it is.
    pub(super) kind: Kind,
}

/// What dpkg does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Belongs to the package.
    Plain,
    /// Belongs to the administrator once it is installed.
    Conffile,
    /// Is a program.
    Program,
}

const fn plain(from: &'static str, to: &'static str) -> Shipped {
    Shipped { from, to, kind: Kind::Plain }
}

const fn conffile(from: &'static str, to: &'static str) -> Shipped {
    Shipped { from, to, kind: Kind::Conffile }
}

const fn program(from: &'static str, to: &'static str) -> Shipped {
    Shipped { from, to, kind: Kind::Program }
}

/// Where the executable goes.
pub(super) const EXECUTABLE: &str = "usr/bin/seqware";
/// Where manual pages go, compressed.
pub(super) const MAN: &str = "usr/share/man/man1";

/// The shells, and where the completions of each go.
pub(super) const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/seqware"),
    ("zsh", "usr/share/zsh/vendor-completions/_seqware"),
    ("fish", "usr/share/fish/vendor_completions.d/seqware.fish"),
];

/// Files that are shipped as they are.
pub(super) const SHIPPED: [Shipped; 11] = [
    conffile("deploy/debian/service.toml", "etc/niassa/service.toml"),
    conffile("deploy/debian/settings", "etc/niassa/settings"),
    plain("deploy/systemd/niassa.service", "lib/systemd/system/niassa.service"),
    plain("deploy/systemd/niassa-agent@.service", "lib/systemd/system/niassa-agent@.service"),
    plain("deploy/debian/copyright", "usr/share/doc/niassa/copyright"),
    plain("deploy/debian/README.Debian", "usr/share/doc/niassa/README.Debian"),
    plain("README.md", "usr/share/doc/niassa/README.md"),
    plain("deploy/nginx/niassa.conf", "usr/share/doc/niassa/examples/nginx.conf"),
    plain(
        "examples/bundles/hello-world/workflow.yaml",
        "usr/share/niassa/bundles/hello-world/workflow.yaml",
    ),
    plain(
        "examples/bundles/hello-world/config/workflow.ini",
        "usr/share/niassa/bundles/hello-world/config/workflow.ini",
    ),
    program(
        "examples/bundles/hello-world/bin/shout",
        "usr/share/niassa/bundles/hello-world/bin/shout",
    ),
];

/// What dpkg runs at its own times, all in `deploy/debian`.
pub(super) const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Returns the text of `conffiles`: one absolute path a line.
pub(super) fn conffiles() -> String {
    let files = SHIPPED.iter().filter(|file| file.kind == Kind::Conffile);
    files.map(|file| format!("/{}\n", file.to)).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn root() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    fn text(path: &str) -> String {
        fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn is_shipped(path: &str) -> bool {
        let path = path.trim_start_matches('/');
        path == EXECUTABLE || SHIPPED.iter().any(|file| file.to == path)
    }

    #[test]
    fn every_file_is_there_and_goes_to_one_place() {
        for file in SHIPPED {
            assert!(root().join(file.from).is_file(), "{}", file.from);
            assert!(!file.to.starts_with('/') && !file.to.contains(".."), "{}", file.to);
            let twice = SHIPPED.iter().filter(|other| other.to == file.to).count();
            assert_eq!(twice, 1, "{}", file.to);
            let below_etc = file.to.starts_with("etc/");
            assert_eq!(below_etc, file.kind == Kind::Conffile, "{}", file.to);
        }
        assert_eq!(conffiles(), "/etc/niassa/service.toml\n/etc/niassa/settings\n");
    }

    #[test]
    fn units_start_what_is_shipped_with_what_is_shipped() {
        let units = SHIPPED.iter().filter(|file| file.to.ends_with(".service"));
        let mut seen = 0;
        for unit in units {
            let text = text(unit.from);
            let start = text.lines().find_map(|line| line.strip_prefix("ExecStart="));
            let words = start.unwrap_or_else(|| panic!("{} starts nothing", unit.from));
            for path in words.split(' ').filter(|word| word.starts_with('/')) {
                assert!(is_shipped(path), "{} names {path}", unit.from);
                seen += 1;
            }
        }
        assert_eq!(seen, 3, "two programs and one configuration");
    }

    #[test]
    fn the_scripts_do_to_the_units_what_dpkg_asks() {
        let control = text("deploy/debian/control");
        assert!(control.contains("libc6 (>= 2.17)") && control.contains("passwd"));
        for script in SCRIPTS {
            let text = text(&format!("deploy/debian/{script}"));
            assert!(text.starts_with("#!/bin/sh\n") && text.contains("\nset -e\n"), "{script}");
        }
        let unit = text("deploy/systemd/niassa.service");
        let user = unit.lines().find_map(|line| line.strip_prefix("User=")).unwrap();
        assert!(text("deploy/debian/postinst").contains(&format!("getent passwd {user} ")));
        assert!(text("deploy/debian/postrm").contains(&format!("userdel {user}\n")));
        assert!(text("deploy/debian/prerm").contains("systemctl stop niassa.service"));
    }
}
