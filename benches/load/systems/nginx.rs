//! nginx in its best tuning: files by sendfile in pieces that keep others served, kept open, and no log.

use std::fs;
use std::path::Path;

use crate::bed::{Bed, REPOSITORY};
use crate::process::{CLIENTS, Process, SERVERS, free_address, is_up};
use crate::systems::{System, Transport, program};

pub(crate) type Nginx = System;

/// nginx before the image.
pub(crate) fn start(bed: &Bed, transport: Transport) -> Result<Nginx, String> {
    let listen = match transport {
        Transport::Plain => "listen {address};".to_owned(),
        Transport::Tls => format!(
            "listen {{address}} ssl; http2 on; ssl_certificate {}; ssl_certificate_key {};",
            bed.certificate.cert.display(),
            bed.certificate.key.display()
        ),
    };
    run(bed.folder(), &bed.site(), &listen, transport, SERVERS)
}

/// nginx as the registry that images come from: it has the tag scheme and no referrers API.
pub(crate) fn upstream(folder: &Path, site: &Path) -> Nginx {
    let started = run(folder, site, "listen {address};", Transport::Plain, CLIENTS);
    started.unwrap_or_else(|why| panic!("there is no upstream: {why}"))
}

fn run(folder: &Path, site: &Path, listen: &str, transport: Transport, core: &str) -> Result<Nginx, String> {
    let address = free_address();
    let own = folder.join(format!("nginx-{}", address.port()));
    fs::create_dir_all(&own).unwrap();
    let config = configuration(&own, site, &listen.replace("{address}", &address.to_string()));
    let file = own.join("nginx.conf");
    fs::write(&file, config).unwrap();
    let (own, file) = (own.to_str().unwrap(), file.to_str().unwrap());
    let log = folder.join(format!("nginx-{}.log", address.port()));
    let process = Process::start(&program("nginx")?, &["-p", own, "-e", "stderr", "-c", file], core, &log);
    if is_up(address) {
        Ok(System { name: "nginx", address, transport, process })
    } else {
        Err("it does not start".into())
    }
}

/// One process, so that its accounting is that of the server.
fn configuration(own: &Path, site: &Path, listen: &str) -> String {
    let (own, site) = (own.display(), site.display());
    format!(
        "daemon off; master_process off; pid {own}/pid; error_log stderr error;
         events {{ worker_connections 4096; }}
         http {{
             access_log off; client_body_temp_path {own}/body; proxy_temp_path {own}/proxy; fastcgi_temp_path {own}/f;
             uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;
             sendfile on; sendfile_max_chunk 512k; tcp_nopush on; tcp_nodelay on;
             keepalive_requests 1000000000; keepalive_timeout 600s; reset_timedout_connection on;
             open_file_cache max=1000 inactive=1h; open_file_cache_valid 1h; etag off;
             server {{
                 {listen}
                 root {site};
                 add_header Docker-Distribution-Api-Version registry/2.0;
                 location /v2/{REPOSITORY}/manifests/ {{
                     default_type application/vnd.oci.image.manifest.v1+json;
                     add_header Docker-Distribution-Api-Version registry/2.0;
                     add_header Docker-Content-Digest $uri;
                 }}
                 location / {{ default_type application/octet-stream; }}
             }}
         }}"
    )
}
