//! The handle of a stand-in that listens: what a test looks at and orders.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};

use crate::{
    application::App,
    calls::Call,
    faults::{Fault, When},
    server::{self, Shared},
};

/// How many connections wait until they are taken; what tokio asks for by itself.
const BACKLOG: u32 = 1024;

/// A stand-in that listens. Dropping it ends it too.
pub struct Running {
    /// The base URL that a mapping uses: `http://127.0.0.1:40001/api`.
    pub url: String,
    /// The address it listens at.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

/// Starts an app at an address; port 0 takes a free one.
///
/// # Errors
/// When the address cannot be listened at.
pub async fn start(app: App, listen: SocketAddr) -> io::Result<Running> {
    serve(app, TcpListener::bind(listen).await?)
}

fn serve(app: App, listener: TcpListener) -> io::Result<Running> {
    let address = listener.local_addr()?;
    let base = app.application.base();
    let shared = Arc::new(Shared::new(app));
    let task = tokio::spawn(server::accept(listener, Arc::clone(&shared)));
    Ok(Running { url: format!("http://{address}{base}"), address, shared, listener: task })
}

impl Running {
    /// All calls, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.lock().calls.clone()
    }

    /// The calls that may have changed something: all but reads and logins.
    pub fn writes(&self) -> Vec<Call> {
        self.shared.lock().calls.iter().filter(|call| call.is_write()).cloned().collect()
    }

    /// Waits until the calls so far are enough; the test brings its own time limit.
    pub async fn wait_for(&self, enough: impl Fn(&[Call]) -> bool) {
        loop {
            let news = self.shared.news.notified();
            tokio::pin!(news);
            // Registered before the look, so that no call falls between the two.
            news.as_mut().enable();
            if enough(&self.shared.lock().calls) {
                return;
            }
            news.await;
        }
    }

    /// Everything the app holds.
    pub fn state(&self) -> Value {
        self.shared.lock().app.as_ref().map_or(Value::Null, |app| app.application.state())
    }

    /// The environment that the app's mapping needs to connect.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let inner = self.shared.lock();
        inner.app.as_ref().map_or_else(Vec::new, |app| app.application.env(&self.url))
    }

    /// Puts a record in by hand, past the API; an existing one of that `id` is changed.
    /// Returns its id.
    ///
    /// # Errors
    /// In words, when the app has no such collection or field.
    pub fn seed(&self, collection: &str, record: &Value) -> Result<Value, String> {
        self.shared.by_hand(|app| app.application.put(collection, record))
    }

    /// Takes a record out by hand.
    ///
    /// # Errors
    /// In words, when it is not there.
    pub fn remove(&self, collection: &str, id: &Value) -> Result<(), String> {
        self.shared.by_hand(|app| app.application.remove(collection, id))
    }

    /// Orders a fault for the next call that fits.
    pub fn order(&self, when: When, fault: Fault) {
        self.shared.lock().faults.order(when, fault);
    }

    /// Takes back all faults that have not happened.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// The next `n` calls of any kind get this answer and are not applied; `retry_after` in
    /// seconds.
    pub fn fail_next(
        &self,
        n: usize,
        status: u16,
        body: impl Into<Value>,
        retry_after: Option<u32>,
    ) {
        let fault = Fault::Answer { status, body: body.into(), retry_after };
        for _ in 0..n {
            self.order(When::Any, fault.clone());
        }
    }

    /// The next call of any kind is applied and answered only after this time.
    pub fn delay_next(&self, time: Duration) {
        self.order(When::Any, Fault::Delay(time));
    }

    /// The next write is applied, then the connection is closed without an answer.
    pub fn drop_next(&self) {
        self.order(When::Write, Fault::Drop { applied: true });
    }

    /// At the next write the connection is closed; nothing is applied.
    pub fn drop_before_next(&self) {
        self.order(When::Write, Fault::Drop { applied: false });
    }

    /// The next write is not applied and never answered.
    pub fn hang_next(&self) {
        self.order(When::Write, Fault::Hang { applied: false });
    }

    /// Closes the listener and all connections.
    pub async fn stop(mut self) {
        self.close().await;
    }

    /// The same for a while: the app keeps its state and its address, where connections are refused.
    ///
    /// # Errors
    /// When the address is somebody else's all at once.
    pub async fn go_down(mut self) -> io::Result<Down> {
        let app = self.close().await;
        let held = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        held.set_reuseaddr(true)?;
        // Bound, so that the system gives the port to nobody; not listening, so that it refuses.
        held.bind(self.address)?;
        let app = app.ok_or_else(|| io::Error::other("the app was taken out before"))?;
        Ok(Down { app, held })
    }

    async fn close(&mut self) -> Option<App> {
        self.listener.abort();
        // An aborted task ends with an error that says so.
        let _ = (&mut self.listener).await;
        self.shared.lock().app.take()
    }
}

/// A stand-in that is down, with all it had.
pub struct Down {
    app: App,
    held: TcpSocket,
}

impl Down {
    /// It listens again, where it did before.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub fn come_up(self) -> io::Result<Running> {
        serve(self.app, self.held.listen(BACKLOG)?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
