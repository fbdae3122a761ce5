//! The HTTP client behind the `Upstream` port, against a registry that fails, stalls, cuts and lies.

use crate::support::registry::Registry;

#[tokio::test]
async fn the_test_registry_comes_back_on_its_port() {
    let registry = Registry::start().await;
    let url = registry.url();
    registry.stop().await;
    assert!(tokio::net::TcpStream::connect(registry.host()).await.is_err());
    registry.restart().await;
    assert!(tokio::net::TcpStream::connect(registry.host()).await.is_ok());
    assert_eq!(registry.url(), url);
}
