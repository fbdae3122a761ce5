//! Systems that have nothing yet and fetch what is asked for, and an upstream that says how much it sent. They share both cores
//! with their clients: 64 clients of one core would be told how fast that core is.

use std::fs;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::set_tcp_congestion;

use crate::bed::Bed;
use crate::process::{BOTH, Process, free_address, is_up};
use crate::systems::bonafide::{self, Place};
use crate::systems::{System, Transport, program};

/// How fast the upstream sends on one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rate {
    Unlimited,
    /// 100 MB/s.
    Limited,
}

/// A registry that counts.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) system: System,
    log: PathBuf,
}

/// What a system that pulls through is started by: a folder for it, and what is behind it.
pub(crate) type Start = fn(&Bed, &Path, &System) -> Result<System, String>;

/// The systems that pull through, each of which holds back whoever asks for what is on its way already, as far as it can.
pub(crate) const SYSTEMS: [(&str, Start); 3] =
    [("bonafide", bonafide), ("nginx", nginx), ("docker-registry", docker_registry)];

impl Upstream {
    /// On `cores`.
    pub(crate) fn start(bed: &Bed, rate: Rate, cores: &str) -> Self {
        let (site, listener) = (bed.site(), unpaced_listener());
        let address = listener.local_addr().unwrap();
        let own = own_folder(bed.folder(), "upstream");
        let log = own.join("sent");
        let limit = match rate {
            Rate::Unlimited => "",
            Rate::Limited => "limit_rate 97656k;",
        };
        let server = format!(
            "log_format sent '$request_method $uri $body_bytes_sent'; access_log {log} sent; sendfile on;
             sendfile_max_chunk 512k; tcp_nopush on;
             server {{ listen {address}; root {site}; {limit} etag off;
                 location = /v2/ {{ return 200; }}
                 location ~ /manifests/ {{ default_type application/vnd.oci.image.manifest.v1+json; }}
                 location / {{ default_type application/octet-stream; }} }}",
            log = log.display(),
            site = site.display(),
        );
        let process = run_nginx(&own, &server, cores, Some(&listener)).unwrap();
        // From here on nobody else listens.
        drop(listener);
        let system = System { name: "upstream", address, transport: Transport::Plain, process };
        assert_eq!(system.client(bed).connect().get("/v2/").expect("there is an upstream"), 0);
        Self { system, log }
    }

    /// How many bytes it has sent of `path`. It writes a line when it has sent all, or the other side is gone.
    pub(crate) fn sent(&self, path: &str) -> u64 {
        let text = fs::read_to_string(&self.log).unwrap();
        let lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        lines.filter(|line| line[1] == path).map(|line| line[2].parse::<u64>().unwrap()).sum()
    }
}

/// Listens for connections that send by Reno, which is everywhere: an algorithm that paces, as BBR does, sets a timer for each
/// packet, which interrupts whoever runs on these cores, as that of an upstream on a machine of its own would not.
fn unpaced_listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    set_tcp_congestion(&listener, "reno").unwrap();
    fcntl_setfd(&listener, FdFlags::empty()).unwrap();
    listener
}

fn own_folder(folder: &Path, name: &str) -> PathBuf {
    let own = folder.join(format!("{name}-{}", free_address().port()));
    fs::create_dir_all(&own).unwrap();
    own
}

fn bonafide(bed: &Bed, own: &Path, upstream: &System) -> Result<System, String> {
    let place = Place { storage: &own.join("storage"), upstream, cores: BOTH };
    let system = bonafide::start_at(bed, place)?;
    // As every client does first; it has nothing of the blobs then.
    let mut connection = system.client(bed).connect();
    let length = connection.get(&bed.manifest_path())?;
    connection.skip(length)?;
    Ok(system)
}

/// A cache that fetches once, and has the others wait for the whole.
fn nginx(_: &Bed, own: &Path, upstream: &System) -> Result<System, String> {
    let address = free_address();
    let server = format!(
        "access_log off; sendfile on; sendfile_max_chunk 512k; tcp_nopush on;
         proxy_cache_path {own}/cache levels=1:2 keys_zone=all:10m max_size=20g inactive=1h use_temp_path=off;
         server {{ listen {address};
             location / {{ proxy_pass {upstream}; proxy_cache all; proxy_cache_valid 200 1h; proxy_http_version 1.1;
                 proxy_set_header Connection ''; proxy_max_temp_file_size 20480m;
                 proxy_cache_lock on; proxy_cache_lock_age 600s; proxy_cache_lock_timeout 600s; }} }}",
        own = own.display(),
        upstream = upstream.url(""),
    );
    let process = run_nginx(own, &server, BOTH, None)?;
    up(System { name: "nginx", address, transport: Transport::Plain, process })
}

fn docker_registry(_: &Bed, own: &Path, upstream: &System) -> Result<System, String> {
    let address = free_address();
    let config = format!(
        "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    \
         rootdirectory: {own}/data\nhttp:\n  addr: {address}\nproxy:\n  remoteurl: {upstream}\n",
        own = own.display(),
        upstream = upstream.url(""),
    );
    let file = own.join("registry.yml");
    fs::write(&file, config).unwrap();
    let log = own.join("log");
    let process = Process::start(&program("docker-registry")?, &["serve", file.to_str().unwrap()], BOTH, &log);
    up(System { name: "docker-registry", address, transport: Transport::Plain, process })
}

fn up(system: System) -> Result<System, String> {
    if is_up(system.address) { Ok(system) } else { Err("it does not start".into()) }
}

/// It takes over `listener` as if from its predecessor: no configuration says what that is set to.
fn run_nginx(own: &Path, server: &str, cores: &str, listener: Option<&TcpListener>) -> Result<Process, String> {
    let folder = own.display();
    let config = format!(
        "daemon off; master_process off; pid {folder}/pid; error_log stderr error;
         events {{ worker_connections 4096; }}
         http {{
             client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
             uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_timeout 600s; tcp_nodelay on;
             {server}
         }}"
    );
    let file = own.join("nginx.conf");
    fs::write(&file, config).unwrap();
    let (program, log) = (program("nginx")?, own.join("log"));
    let (program, own, file) = (program.to_str().unwrap(), own.to_str().unwrap(), file.to_str().unwrap());
    let inherited = listener.map(|listener| format!("NGINX={};", listener.as_raw_fd()));
    let mut command: Vec<_> = inherited.iter().map(String::as_str).collect();
    command.extend([program, "-p", own, "-e", "stderr", "-c", file]);
    Ok(Process::start(Path::new("env"), &command, cores, &log))
}

/// A folder of its own for the system called `name`.
pub(crate) fn folder_for(bed: &Bed, name: &str) -> PathBuf {
    own_folder(bed.folder(), name)
}
