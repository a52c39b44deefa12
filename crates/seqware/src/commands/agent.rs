//! `seqware agent`.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use niassa_api::client::Client;
use niassa_model::accession::Accession;
use niassa_model::host::HostLabel;
use niassa_pipeline::agent::{Stream, Wakes};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::serve::log_to_stderr;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::on_change::{self, OnChange};
use crate::settings::Surroundings;
use crate::work_loop::{Pace, WorkLoop};
use crate::{host, pipeline};

/// How often an agent looks by itself while it hears the service's events and nothing is active.
const BACKSTOP: Duration = Duration::from_mins(1);

/// How often it looks while runs wait that it was not offered.
const SOME_LEFT: Duration = Duration::from_secs(10);

/// How often it looks while it does not hear them.
const DEAF: Duration = Duration::from_secs(2);

/// Launches and propagates as soon as there is something to do.
///
/// Woken by the Web Service and by the ends of steps; does what the two commands in the cron script do, and
/// any number of agents and cron jobs may run beside it. SIGTERM lets it finish what it is at; a second one
/// stops it at once. Nothing is lost either way: steps that run go on.
#[derive(clap::Args)]
#[command(before_help = "\
Examples:
  $ seqware agent
  $ seqware agent --host \"$(hostname --long)\"
  $ seqware agent --once               # one tick of both commands, for cron")]
pub struct Args {
    /// The label to serve, by default SW_HOST, else this machine's full name
    #[arg(long, value_name = "LABEL")]
    host: Option<HostLabel>,
    /// Launch and propagate once, and end
    #[arg(long)]
    once: bool,
}

/// Works until it is told to stop.
pub async fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let label = host::label(args.host, context.settings()?)?;
    let client = context.client()?;
    let identity = format!("{} {}", context.settings()?.signed_in_as(), client.url());
    let settings = pipeline::settings(context)?;
    let mut work =
        WorkLoop::of_host(&client, &identity, settings, label.label.clone(), Pace::Woken)?;
    if args.once {
        return once(&mut work, &client, context).await;
    }
    log_to_stderr(&context.surroundings);
    if let Some(doubt) = label.doubt {
        tracing::warn!("{doubt}");
    }
    let supervisor = Supervisor::of(&context.surroundings);
    let (changed, receiver) = unbounded_channel();
    let program = OnChange::of(&client, context)?;
    tokio::spawn(on_change::tell_for_ever(program, receiver, client.clone()));
    let wakes = Wakes::follow(client, work.log_reader());
    let mut agent = Agent { work, wakes, changed, supervisor, told: Vec::new() };
    // Whoever reads that it works may stop it from then on.
    let mut stop = StopSignals::listen()?;
    tracing::info!(label = %label.label, "the agent serves this label");
    agent.supervisor.tell("READY=1");
    let exit = agent.work_until_told_to_stop(&mut stop).await;
    agent.supervisor.tell("STOPPING=1");
    Ok(exit)
}

/// One tick of both commands.
async fn once(
    work: &mut WorkLoop,
    client: &Client,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let mut faults = pipeline::faults("agent", context)?;
    let exit = match work.turn().await {
        Ok(turn) => {
            on_change::tell(&turn.changed, client, context, &mut faults).await;
            let exit = if turn.problems.is_empty() { Exit::Done } else { Exit::Partly };
            for problem in turn.problems.into_iter().chain(turn.doubts) {
                faults.found(problem.clone(), problem);
            }
            exit
        }
        Err(failure) => {
            faults.found(format!("exit {}", failure.exit().code()), told(&failure));
            failure.exit()
        }
    };
    faults.tell(&mut context.ui);
    Ok(exit)
}

struct Agent {
    work: WorkLoop,
    wakes: Wakes,
    /// Runs whose status changed, for whoever wants to be told.
    changed: UnboundedSender<Vec<Accession>>,
    supervisor: Supervisor,
    /// Problems that were logged and are not over.
    told: Vec<String>,
}

/// The signals by which an agent is stopped.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

/// How a turn ended.
enum TurnEnd {
    /// As it should; the agent goes on.
    GoOn,
    /// As it should, and the agent was told to stop meanwhile.
    Drained,
    /// In the middle: the agent was told twice.
    Broken,
}

impl Agent {
    async fn work_until_told_to_stop(&mut self, stop: &mut StopSignals) -> Exit {
        loop {
            match self.turn(stop).await {
                TurnEnd::GoOn => {}
                TurnEnd::Drained => return Exit::Done,
                TurnEnd::Broken => return Exit::Interrupted,
            }
            self.supervisor.is_alive();
            tokio::select! {
                () = self.rest() => {}
                () = stop.next() => return Exit::Done,
            }
        }
    }

    /// Launches and propagates once. A turn is finished before the agent ends, unless it is told a second
    /// time.
    async fn turn(&mut self, stop: &mut StopSignals) -> TurnEnd {
        let mut end = TurnEnd::GoOn;
        let turn = self.work.turn();
        tokio::pin!(turn);
        let turn = loop {
            tokio::select! {
                turn = &mut turn => break turn,
                () = stop.next() => match end {
                    TurnEnd::GoOn => {
                        tracing::info!("the agent ends after this turn");
                        end = TurnEnd::Drained;
                    }
                    TurnEnd::Drained | TurnEnd::Broken => {
                        tracing::warn!("stopped in the middle of a turn");
                        return TurnEnd::Broken;
                    }
                },
            }
        };
        let problems = match turn {
            Ok(turn) => {
                if !turn.changed.is_empty() {
                    // Its reader lives as long as the agent.
                    drop(self.changed.send(turn.changed));
                }
                [turn.problems, turn.doubts].concat()
            }
            Err(failure) => vec![told(&failure)],
        };
        tell(&mut self.told, problems);
        end
    }

    /// Waits until there is something to do.
    async fn rest(&mut self) {
        let is_deaf = match self.wakes.stream() {
            Stream::Open | Stream::Asked => false,
            Stream::Beginning | Stream::Broken(_) => true,
        };
        let alone = match (is_deaf, self.work.has_left_some()) {
            (true, _) => DEAF,
            (false, true) => SOME_LEFT,
            (false, false) => BACKSTOP,
        };
        let is_active = self.work.is_active();
        let alone = self.supervisor.at_most(alone);
        tokio::select! {
            () = self.wakes.next() => self.work.look_now(),
            result = self.work.wait(), if is_active => {
                if let Err(failure) = result {
                    tracing::warn!("{}", failure.explain());
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            () = tokio::time::sleep(alone) => {
                if is_deaf {
                    self.work.look_now();
                }
            }
        }
    }
}

/// Says what is wrong, and what to do about it.
fn told(failure: &Failure) -> String {
    match failure.hint() {
        Some(hint) => format!("{} (try: {hint})", failure.explain()),
        None => failure.explain().to_owned(),
    }
}

/// Logs what is wrong when it begins and when it is over.
pub fn tell(told: &mut Vec<String>, problems: Vec<String>) {
    for problem in problems.iter().filter(|problem| !told.contains(problem)) {
        tracing::warn!("{problem}");
    }
    for over in told.iter().filter(|problem| !problems.contains(problem)) {
        tracing::info!("over: {over}");
    }
    *told = problems;
}

impl StopSignals {
    fn listen() -> Result<Self, Failure> {
        let failed = |error| Failure::io("wait for signals", error);
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// systemd, where it started us: it wants to hear that the agent is ready and alive (`sd_notify(3)`).
struct Supervisor {
    socket: Option<(UnixDatagram, String)>,
    /// How often it wants a sign of life.
    watchdog: Option<Duration>,
    told_at: Instant,
}

impl Supervisor {
    fn of(surroundings: &Surroundings) -> Self {
        let path = surroundings.variable("NOTIFY_SOCKET").filter(|path| path.starts_with('/'));
        let socket = path.and_then(|path| {
            let socket = UnixDatagram::unbound().ok()?;
            Some((socket, path.to_owned()))
        });
        let watchdog = surroundings.variable("WATCHDOG_USEC").and_then(|text| text.parse().ok());
        let watchdog = watchdog.map(|micros: u64| Duration::from_micros(micros / 2));
        Self { socket, watchdog, told_at: Instant::now() }
    }

    fn tell(&self, what: &str) {
        if let Some((socket, path)) = &self.socket
            && let Err(error) = socket.send_to(what.as_bytes(), path)
        {
            tracing::debug!(%error, "systemd does not hear");
        }
    }

    /// Gives a sign of life, at most as often as is asked for.
    fn is_alive(&mut self) {
        if self.watchdog.is_some_and(|every| self.told_at.elapsed() >= every / 2) {
            self.tell("WATCHDOG=1");
            self.told_at = Instant::now();
        }
    }

    /// Cuts a rest so that the next sign of life is in time.
    fn at_most(&self, rest: Duration) -> Duration {
        self.watchdog.map_or(rest, |every| rest.min(every / 2))
    }
}
