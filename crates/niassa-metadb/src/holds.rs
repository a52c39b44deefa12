//! Holds: labels that give out no new launches. What runs goes on, and is cancelled and propagated.

use niassa_model::host::HostLabel;

use crate::audit::{self, Deed};
use crate::error::{During, Result};
use crate::pool::{column, commit, now_in};
use crate::{Access, MetaDb};

sql! {
    /// Holds a label, or says anew why. `$1`: label; `$2`: reason; `$3`: by whom; `$4`: time.
    HOLD = "insert into host_hold (host, reason, held_by, held_at) values ($1, $2, $3, $4) \
        on conflict (host) where released_at is null do update set reason = excluded.reason, \
            held_by = excluded.held_by, held_at = excluded.held_at";
    /// Releases a label. `$1`: label; `$2`: by whom; `$3`: time.
    RELEASE = "update host_hold set released_by = $2, released_at = $3 \
        where host = $1 and released_at is null returning id";
    /// Why a label is held. `$1`: label.
    REASON = "select reason from host_hold where host = $1 and released_at is null";
}

impl MetaDb {
    /// Holds a label: it gives out no new launches. For administrators; the caller is checked before.
    pub async fn hold_host(&self, access: &Access, host: &HostLabel, reason: &str) -> Result<()> {
        const OPERATION: &str = "hold a host";
        let mut tx = self.begin(OPERATION).await?;
        let now = now_in(&mut tx, OPERATION).await?;
        sqlx::query(HOLD)
            .bind(host.as_str())
            .bind(reason)
            .bind(access.account.0)
            .bind(now)
            .execute(&mut *tx)
            .await
            .during(OPERATION)?;
        let detail = Some(reason.to_owned());
        let deed = Deed { action: "host_hold", subject: format!("host {host}"), detail };
        audit::tell(&mut tx, self.dialect(), now, access, deed, OPERATION).await?;
        commit(tx, OPERATION).await
    }

    /// Releases a label. Returns whether it was held. For administrators.
    pub async fn release_host(&self, access: &Access, host: &HostLabel) -> Result<bool> {
        const OPERATION: &str = "release a host";
        let mut tx = self.begin(OPERATION).await?;
        let now = now_in(&mut tx, OPERATION).await?;
        let released = sqlx::query(RELEASE)
            .bind(host.as_str())
            .bind(access.account.0)
            .bind(now)
            .fetch_optional(&mut *tx)
            .await
            .during(OPERATION)?;
        if released.is_some() {
            let deed =
                Deed { action: "host_release", subject: format!("host {host}"), detail: None };
            audit::tell(&mut tx, self.dialect(), now, access, deed, OPERATION).await?;
        }
        commit(tx, OPERATION).await?;
        Ok(released.is_some())
    }

    /// Returns why a label is held, if it is.
    pub async fn hold_of_host(&self, host: &HostLabel) -> Result<Option<String>> {
        const OPERATION: &str = "read whether a host is held";
        let row = sqlx::query(REASON)
            .bind(host.as_str())
            .fetch_optional(self.reader())
            .await
            .during(OPERATION)?;
        row.map(|row| column(&row, "reason", OPERATION)).transpose()
    }
}

#[cfg(test)]
mod tests;
