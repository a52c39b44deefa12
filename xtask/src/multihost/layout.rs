//! The layouts: which hosts there are, and what is where.

use std::str::FromStr;

use anyhow::{Result, bail};

/// Programs without which there is no lab.
pub(super) const PROGRAMS: &[&str] = &[
    "unshare",
    "nsenter",
    "setpriv",
    "runuser",
    "ip",
    "hostname",
    "openssl",
    "cron",
    "crontab",
    "slurmctld",
    "slurmd",
    "sbatch",
    "munged",
    "logrotate",
];

/// Who is where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// The founding text's table word by word: the Web Service is on server2.
    TwoHosts,
    /// The Web Service and its PostgreSQL have a host of their own.
    ThreeHosts,
    /// Like the first, but the cluster of server2 is a Grid Engine.
    GridEngine,
    /// All on one box, as `deploy/vm/cloud-init.yaml` sets it up.
    Vm,
}

impl Layout {
    /// All of them.
    pub(super) const ALL: [Self; 4] =
        [Self::TwoHosts, Self::ThreeHosts, Self::Vm, Self::GridEngine];

    /// Returns its name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TwoHosts => "two-hosts",
            Self::ThreeHosts => "three-hosts",
            Self::GridEngine => "grid-engine",
            Self::Vm => "vm",
        }
    }

    /// Returns the programs that it needs beside [`PROGRAMS`].
    pub(super) fn programs(self) -> &'static [&'static str] {
        match self {
            Self::TwoHosts | Self::Vm => &[],
            Self::ThreeHosts => &["initdb", "postgres", "createuser", "createdb"],
            Self::GridEngine => &["sge_qmaster", "sge_execd", "qconf", "qsub", "qacct"],
        }
    }

    /// Returns what its blocks in the document are called.
    pub(super) fn documented_as(self) -> &'static str {
        match self {
            Self::TwoHosts | Self::GridEngine => "two-hosts",
            Self::ThreeHosts => "three-hosts",
            Self::Vm => "vm",
        }
    }

    /// Returns the short names of its hosts.
    pub(super) fn hosts(self) -> &'static [&'static str] {
        match self {
            Self::TwoHosts | Self::GridEngine => &["server1", "server2"],
            Self::ThreeHosts => &["server1", "www", "server2"],
            Self::Vm => &["vm"],
        }
    }

    /// Returns the host of the Web Service.
    pub(super) fn service(self) -> &'static str {
        match self {
            Self::TwoHosts | Self::GridEngine => "server2",
            Self::ThreeHosts => "www",
            Self::Vm => "vm",
        }
    }

    /// Returns the host where runs are scheduled.
    pub(super) fn scheduling(self) -> &'static str {
        match self {
            Self::TwoHosts | Self::ThreeHosts | Self::GridEngine => "server1",
            Self::Vm => "vm",
        }
    }

    /// Returns the host where runs are launched.
    pub(super) fn running(self) -> &'static str {
        match self {
            Self::TwoHosts | Self::ThreeHosts | Self::GridEngine => "server2",
            Self::Vm => "vm",
        }
    }
}

impl FromStr for Layout {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let Some(layout) = Self::ALL.into_iter().find(|layout| layout.name() == name) else {
            let known = Self::ALL.map(Self::name).join(" ");
            bail!("no layout is called `{name}`; there are {known}");
        };
        Ok(layout)
    }
}

/// Returns the layouts that are named, all of them where none is.
pub(super) fn chosen(names: &[String]) -> Result<Vec<Layout>> {
    if names.is_empty() {
        return Ok(Layout::ALL.to_vec());
    }
    names.iter().map(|name| name.parse()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_known_by_their_names() {
        assert_eq!(chosen(&[]).unwrap().len(), Layout::ALL.len());
        assert_eq!(chosen(&["vm".to_owned()]).unwrap(), [Layout::Vm]);
        let error = chosen(&["four".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("`four`; there are two-hosts three-hosts vm"), "{error}");
    }
}
