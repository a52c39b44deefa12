//! What a layout needs before anybody schedules: people, certificates, settings, service, cluster.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::checks::{CEILING, wait_for};
use super::cloud_init::CloudConfig;
use super::document::{Document, Shown};
use super::host::{Host, Person, Ran};
use super::layout::Layout;
use super::{cluster, lab, metadb};

/// The OS user of the service.
const SERVICE: Person = Person { name: "niassa", uid: 2_001 };
/// Who schedules.
const BOB: Person = Person { name: "bob", uid: 2_002 };
/// Who launches, with Bob's account.
const NIASSA_BOB: Person = Person { name: "niassa-bob", uid: 2_003 };
/// Who has an account of her own, and launches on the same host.
const EVE: Person = Person { name: "eve", uid: 2_004 };
/// Bob's account.
const BOBS: &str = "bob@lab.net";
/// Eve's account.
const EVES: &str = "eve@lab.net";
/// The administrator's account.
const ADMIN: &str = "admin@lab.net";

/// Who does what in a layout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Actors {
    /// The OS user who schedules.
    pub(super) user: &'static str,
    /// The OS user who launches.
    pub(super) launcher: &'static str,
    /// The block with the command that schedules.
    pub(super) schedule: &'static str,
    /// Whether the service is reached by TLS.
    pub(super) speaks_tls: bool,
    /// What runs the steps. Where there is no cluster, the box has its crontab from the beginning.
    pub(super) cluster: Cluster,
}

/// Which cluster there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cluster {
    None,
    Slurm,
    GridEngine,
}

/// A layout that is set up.
pub(super) struct Site {
    layout: Layout,
    document: Document,
    config: CloudConfig,
    hosts: Vec<Host>,
}

impl Site {
    /// Starts the hosts of a layout, which have the executable; what is done on them is as the document
    /// in `root` says.
    pub(super) fn start(layout: Layout, root: &Path, executable: &Path) -> Result<Self> {
        let document = Document::read(&root.join("docs/launching.md"))?;
        let config = CloudConfig::read(root)?;
        let hosts = lab::start(executable, layout.hosts())?;
        Ok(Self { layout, document, config, hosts })
    }

    /// Sets everything up, and waits until service and cluster answer.
    pub(super) fn set_up(&self) -> Result<()> {
        if self.layout == Layout::Vm {
            return self.set_up_box();
        }
        self.add_people()?;
        self.give_certificates()?;
        self.write_settings()?;
        self.start_service()?;
        self.make_accounts()?;
        match self.layout {
            Layout::TwoHosts | Layout::ThreeHosts => cluster::start_slurm(self.running()),
            Layout::GridEngine => cluster::start_grid_engine(self.running()),
            Layout::Vm => Ok(()),
        }
    }

    /// Returns who does what.
    pub(super) fn actors(&self) -> Actors {
        match self.layout {
            Layout::TwoHosts | Layout::ThreeHosts | Layout::GridEngine => Actors {
                user: BOB.name,
                launcher: NIASSA_BOB.name,
                schedule: "schedule",
                speaks_tls: true,
                cluster: match self.layout {
                    Layout::GridEngine => Cluster::GridEngine,
                    Layout::TwoHosts | Layout::ThreeHosts | Layout::Vm => Cluster::Slurm,
                },
            },
            Layout::Vm => Actors {
                user: SERVICE.name,
                launcher: SERVICE.name,
                schedule: "schedule here",
                speaks_tls: false,
                cluster: Cluster::None,
            },
        }
    }

    /// Returns the document.
    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    /// Returns how the log is rotated.
    pub(super) fn rotation(&self) -> Result<&str> {
        self.config.file("/etc/logrotate.d/niassa")
    }

    /// Returns all hosts.
    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Returns the host where Bob schedules.
    pub(super) fn scheduling(&self) -> &Host {
        self.host(self.layout.scheduling())
    }

    /// Returns the host of the launcher and its cluster.
    pub(super) fn running(&self) -> &Host {
        self.host(self.layout.running())
    }

    /// Runs the commands of a block as somebody and returns what each came to.
    pub(super) fn block(&self, host: &Host, person: &str, name: &str) -> Result<Vec<(Shown, Ran)>> {
        let commands = self.document.commands(name)?;
        let run = |shown: Shown| {
            let ran = host.run(person, &shown.command)?;
            anyhow::Ok((shown, ran))
        };
        commands.into_iter().map(run).collect()
    }

    /// Returns a block that this layout alone has.
    fn text(&self, name: &str) -> Result<&str> {
        self.document.text(&self.name_of(name))
    }

    fn name_of(&self, block: &str) -> String {
        format!("{} {block}", self.layout.documented_as())
    }

    fn service(&self) -> &Host {
        self.host(self.layout.service())
    }

    fn host(&self, name: &str) -> &Host {
        let found = self.hosts.iter().find(|host| host.name() == name);
        found.unwrap_or(&self.hosts[0])
    }

    fn add_people(&self) -> Result<()> {
        self.service().add_person(SERVICE)?;
        self.scheduling().add_person(BOB)?;
        self.running().add_person(NIASSA_BOB)?;
        self.running().add_person(EVE)
    }

    fn give_certificates(&self) -> Result<()> {
        lab::make_authority(&self.document)?;
        lab::certify(&self.document, self.service(), SERVICE.name)?;
        self.hosts.iter().try_for_each(lab::trust)
    }

    /// Everything on one host, by the file for such boxes; only Eve is added.
    fn set_up_box(&self) -> Result<()> {
        let host = self.running();
        self.config.apply(host)?;
        self.wait_for_service()?;
        host.add_person(EVE)?;
        give_account(host, EVE.name, &account_settings(EVES))?;
        self.make_eves_account()
    }

    /// Site-wide settings on each host, and one person's with the account.
    fn write_settings(&self) -> Result<()> {
        for host in &self.hosts {
            let text = self.text(&format!("settings of {}", host.name()))?;
            let text = match self.layout {
                Layout::GridEngine => text.replace("=slurm\n", "=sge\n"),
                Layout::TwoHosts | Layout::ThreeHosts | Layout::Vm => text.to_owned(),
            };
            host.write("/etc/niassa/settings", &text, "root", "0644")?;
        }
        let of_bob = self.document.text("settings of bob")?;
        give_account(self.scheduling(), BOB.name, of_bob)?;
        give_account(self.running(), NIASSA_BOB.name, of_bob)?;
        give_account(self.running(), EVE.name, &account_settings(EVES))?;
        give_account(self.service(), SERVICE.name, &account_settings(ADMIN))
    }

    fn start_service(&self) -> Result<()> {
        let host = self.service();
        host.write("/etc/niassa/service.toml", self.text("service.toml")?, "root", "0644")?;
        host.root(&format!("install -d -o {0} -g {0} -m 0750 /srv/niassa", SERVICE.name))?;
        if self.layout == Layout::ThreeHosts {
            metadb::start(host, &self.document.commands("postgresql")?)?;
        }
        for shown in self.document.commands(&self.name_of("metadb"))? {
            self.make_account(&shown, ADMIN)?;
        }
        for shown in self.document.commands("serve")? {
            host.daemon(SERVICE.name, "service.log", &shown.command)?;
        }
        self.wait_for_service()
    }

    fn wait_for_service(&self) -> Result<()> {
        let host = self.service();
        wait_for("the service answers", CEILING, || {
            let ran = host.run(SERVICE.name, "seqware workflow list")?;
            Ok(if ran.code == Some(0) { Ok(()) } else { Err(ran.stderr) })
        })
    }

    fn make_accounts(&self) -> Result<()> {
        for shown in self.document.commands("accounts")? {
            self.make_account(&shown, BOBS)?;
        }
        self.make_eves_account()
    }

    fn make_eves_account(&self) -> Result<()> {
        let command = format!("seqware account create {EVES}");
        self.make_account(&Shown { command, output: String::new() }, EVES)
    }

    /// Runs a command that asks for an account's password.
    fn make_account(&self, shown: &Shown, email: &str) -> Result<()> {
        let line = format!("echo '{}' | {}", password_of(email), shown.command);
        let printed = self.service().ok(SERVICE.name, &line)?;
        ensure!(
            shown.output.is_empty() || printed.trim_end() == shown.output,
            "`{}` printed: {printed}",
            shown.command
        );
        Ok(())
    }

    /// Returns what the parts of the site have logged, for people who look for what went wrong.
    pub(super) fn logs(&self) -> String {
        let show = "for log in /var/log/*.log /var/spool/gridengine/*/messages /var/spool/gridengine/*/*/messages /home/*/logs/*.log /home/*/runs/*/steps/*/*/*/std*; do \
                    [ -s $log ] && echo \"-- $log\" && tail -n 40 $log; done; \
                    ps -eo user,pid,etime,args --forest | grep -v 'for log in'; { squeue -t all; qstat -f; qacct -j; } 2>/dev/null; true";
        let of_host = |host: &Host| {
            let shown = host.root(show).unwrap_or_else(|error| format!("{error:#}"));
            format!("---- {}\n{shown}", host.name())
        };
        self.hosts.iter().map(of_host).collect()
    }
}

/// Returns what an account's password is: the documented one for Bob.
fn password_of(email: &str) -> String {
    format!("password of {email}")
}

fn account_settings(email: &str) -> String {
    format!("SW_REST_USER={email}\nSW_REST_PASS={}\n", password_of(email))
}

fn give_account(host: &Host, person: &str, settings: &str) -> Result<()> {
    host.write(&format!("/home/{person}/.seqware/settings"), settings, person, "0600")
        .with_context(|| format!("give {person} settings"))
}
