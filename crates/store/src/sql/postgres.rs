//! Opening PostgreSQL: a name for each node, one schema, and word of new work to the others.

use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions};

use super::db::{Db, Pool, query};
use super::open::{Again, Opened};
use crate::config::{Address, StoreConfig};
use crate::error::StoreError;
use crate::job::Lane;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a connection may take to be made. The name of a host that does not answer is the slowest.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How long a read waits for a free connection.
const READ_WAIT: Duration = Duration::from_secs(10);
/// A statement that takes longer is given up: the writer has others to write.
const STATEMENT_MAX: &str = "20s";
/// So long a transaction of a node that stopped in its midst is kept, and with it the rows that it locked.
const IDLE_IN_TRANSACTION_MAX: &str = "15s";

/// Under this name nodes tell each other of new work; what is said is the lane.
const CHANNEL: &str = "colloquy_work";

/// Two processes of one name would each believe the other's leases and sessions to be left over from themselves.
const TAKE_NAME: &str = "SELECT pg_try_advisory_lock(hashtextextended('colloquy ' || $1, 0))";

/// Who this is, for whom the database keeps the name while the writer is connected.
pub(crate) struct Node {
    options: PgConnectOptions,
    name: String,
    address: Address,
}

impl Node {
    /// Connects, and takes the name.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let connecting = self.options.connect();
        let mut db = tokio::time::timeout(CONNECT_WAIT, connecting)
            .await
            .map_err(|_late| self.unreachable("it does not answer"))?
            .map_err(|error| self.unreachable(&error.to_string()))?;
        let taking = sqlx::query_scalar(TAKE_NAME)
            .bind(&self.name)
            .fetch_one(&mut db);
        let taken: bool = tokio::time::timeout(CONNECT_WAIT, taking)
            .await
            .map_err(|_late| self.unreachable("it does not answer"))??;
        if taken {
            Ok(db)
        } else {
            let database = format!("{} (under the node name {:?})", self.address, self.name);
            Err(StoreError::InUse { database })
        }
    }

    fn unreachable(&self, why: &str) -> StoreError {
        StoreError::unavailable(format!(
            "the database at {} cannot be reached: {why}. Check that it runs and that store.database names its host, user, \
             password and database",
            self.address
        ))
    }
}

/// Opens the database, making and migrating its tables as needed.
pub(super) async fn open(config: &StoreConfig, address: &Address) -> Result<Opened, StoreError> {
    let options: PgConnectOptions = address.0.parse().map_err(|error: sqlx::Error| {
        StoreError::unavailable(format!(
            "store.database is no address of PostgreSQL: {error}"
        ))
    })?;
    let options = options
        .application_name("colloquy")
        .options([
            ("statement_timeout", STATEMENT_MAX),
            (
                "idle_in_transaction_session_timeout",
                IDLE_IN_TRANSACTION_MAX,
            ),
            // A connection whose way here is gone must not keep the name for hours, which is the system's habit.
            ("tcp_keepalives_idle", "15"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])
        .disable_statement_logging();
    let node = Node {
        options: options.clone(),
        name: config.node.clone(),
        address: address.clone(),
    };
    let mut writer = node.connect().await?;
    migrate(&mut writer, address).await?;
    let readers = PgPoolOptions::new()
        // One of them listens.
        .max_connections(config.readers.max(1).saturating_add(1))
        .acquire_timeout(READ_WAIT)
        .connect_lazy_with(options);
    Ok(Opened {
        writer: Db::Postgres(writer),
        again: Again::Postgres(Box::new(node)),
        readers: Pool::Postgres(readers),
        lock: None,
    })
}

/// Nodes that start together take turns: the migrator locks.
async fn migrate(db: &mut PgConnection, address: &Address) -> Result<(), StoreError> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max();
    let tables: Option<String> = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations')::text")
        .fetch_one(&mut *db)
        .await?;
    if tables.is_some() {
        let found: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&mut *db)
            .await?;
        let (found, known) = (found.unwrap_or(0), known.unwrap_or(0));
        if found > known {
            let database = address.to_string();
            return Err(StoreError::NewerDatabase {
                database,
                found,
                known,
            });
        }
    }
    match MIGRATIONS.run(db).await {
        Ok(()) => Ok(()),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(error.into())
        }
        Err(error) => Err(StoreError::corrupt(format!(
            "the schema of {address} cannot be brought up to date: {error}"
        ))),
    }
}

/// Tells the other nodes, once this transaction is kept, that a lane has work. SQLite has no others.
pub(super) async fn tell(db: &mut Db, lane: Lane) -> Result<(), StoreError> {
    if matches!(db, Db::Sqlite(_)) {
        return Ok(());
    }
    let tell = query("SELECT pg_notify($1, $2)");
    tell.bind(CHANNEL).bind(lane.name()).execute(db).await?;
    Ok(())
}

/// Calls `wake` for each lane that has work, whoever put it, until the pool is closed. Word that is lost while the database
/// is gone is made up for by looking now and then, which workers do anyway.
pub(crate) async fn listen(pool: Pool, wake: Arc<impl Fn(Lane) + Send + Sync>) {
    let Pool::Postgres(pool) = pool else { return };
    while !pool.is_closed() {
        let heard = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(CHANNEL).await?;
            loop {
                let word = listener.recv().await?;
                if let Some(lane) = Lane::from_name(word.payload()) {
                    wake(lane);
                }
            }
        };
        let heard: Result<std::convert::Infallible, sqlx::Error> = tokio::select! {
            heard = heard => heard,
            () = pool.close_event() => return,
        };
        let Err(error) = heard;
        tracing::warn!(%error, "the database cannot be listened to; work of other nodes is found by looking");
        tokio::time::sleep(CONNECT_WAIT).await;
    }
}
