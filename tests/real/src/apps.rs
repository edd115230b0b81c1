//! The applications that are tried.

mod directory;
mod jupyterhub;
mod rabbitmq;
mod script;

pub use self::directory::Directory;
pub use self::jupyterhub::JupyterHub;
pub use self::rabbitmq::RabbitMq;
