//! The inbox: files of orders, each written whole and then renamed into the folder.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use niassa_model::step::AttemptKey;

use super::{LocalError, LocalHome, Order, failed};

/// Writes orders as one file, and shows it to the supervisor at once. It need not be durable: what a power cut
/// takes, all or a part, the engine has nothing of when runs are compared, and it is ordered again.
pub(super) fn put(home: &LocalHome, orders: &[Order]) -> Result<(), LocalError> {
    let name = format!("{:020}-{:016x}.jsonl", micros(), rand::random::<u64>());
    let temporary = home.path().join(format!(".tmp-{name}"));
    let place = home.inbox().join(&name);
    let mut text = Vec::new();
    for order in orders {
        serde_json::to_writer(&mut text, order)
            .map_err(io::Error::from)
            .map_err(failed("encode orders for", &place))?;
        text.push(b'\n');
    }
    let mut file = fs::File::create(&temporary).map_err(failed("write", &temporary))?;
    file.write_all(&text).map_err(failed("write", &temporary))?;
    crate::failpoint::reach("launcher.written");
    fs::rename(&temporary, &place).map_err(failed("rename to", &place))
}

/// Returns the files of the inbox, oldest first.
pub(super) fn files(home: &LocalHome) -> Result<Vec<PathBuf>, LocalError> {
    let inbox = home.inbox();
    let mut files = Vec::new();
    for entry in fs::read_dir(&inbox).map_err(failed("list", &inbox))? {
        let path = entry.map_err(failed("list", &inbox))?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a file of orders; `None` when it was taken meanwhile. A line that is none is left out and
/// counted: what we cannot read was not written by this program.
pub(super) fn read(path: &Path) -> Result<Option<(Vec<Order>, usize)>, LocalError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let (mut orders, mut unreadable) = (Vec::new(), 0);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(order) => orders.push(order),
            Err(_) => unreadable += 1,
        }
    }
    Ok(Some((orders, unreadable)))
}

/// Returns the attempts that stand in the inbox and wait to be taken up.
pub fn pending(home: &LocalHome) -> Result<Vec<AttemptKey>, LocalError> {
    let mut keys = Vec::new();
    for path in files(home)? {
        if let Some((orders, _)) = read(&path)? {
            let starts = orders.into_iter().filter_map(|order| match order {
                Order::Start(start) => Some(start.key),
                Order::Close { .. } | Order::Stop { .. } => None,
            });
            keys.extend(starts);
        }
    }
    Ok(keys)
}

/// Only orders files; a clock that jumps costs nothing but the order between batches.
#[expect(clippy::disallowed_methods, reason = "a name that rises, not a time")]
fn micros() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros()
}
