import { invalid } from '../domain/errors.js';

export interface NginxPlan {
  /** Of nginx alone: its configuration, pid and temporary files. */
  readonly dir: string;
  /** Where the server listens for what nginx passes on. */
  readonly socket: string;
  /** Where the process that streams images listens for requests for them. */
  readonly imageSocket: string;
  /** Its `sha256/` is sent from. */
  readonly imagesDir: string;
  readonly port: number;
  /** Of the processes that serve, when nginx is started as root. */
  readonly user?: string;
  /** Descriptors that a serving process may have. */
  readonly files?: number;
}

/** Below this path nginx finds the files of images itself; it is internal, no client can ask for it. */
export const ACCEL_PREFIX = '/.anybios-image/';
/** Set by nginx on every request, over whatever the client sent. Believed only on the socket that nginx alone can open. */
export const CLIENT_HEADER = 'x-anybios-client';
/** Names a download in nginx's log; a random number of ours, so that nobody else's line can end it. */
export const DOWNLOAD_HEADER = 'X-Anybios-Download';

/** Characters that mean something in nginx's own syntax must not come in by the name of a folder. */
const PLAIN_PATH = /^[A-Za-z0-9/._@+-]+$/;

/** The whole configuration of the nginx that this server runs. Throws `invalid` for a folder that nginx cannot name. */
export function nginxConfig({ dir, socket, imageSocket, imagesDir, port, user, files }: NginxPlan): string {
  for (const path of [dir, socket, imageSocket, imagesDir]) {
    if (!PLAIN_PATH.test(path))
      throw invalid(`nginx cannot use the folder ${path}`, {
        field: 'dataDir',
        remedy: 'name a folder of letters, digits and . _ @ + - only, or set listen.images: sendfile',
      });
  }
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `# Written by anybios at every start (listen.images: nginx). Changes are lost.
daemon off;
${user === undefined ? '' : `user ${user};\n`}worker_processes auto;
${files === undefined ? '' : `worker_rlimit_nofile ${files};\n`}pid ${dir}/nginx.pid;
error_log stderr warn;
events { worker_connections 16384; }
http {
  map $upstream_http_x_anybios_download $anybios_told { default 1; "" 0; }
  log_format anybios 'anybios: $upstream_http_x_anybios_download $status $body_bytes_sent $request_completion';
  # No more than a pipe takes in one piece; a wake-up for each end would cost more than the end.
  access_log ${dir}/access.fifo anybios buffer=4k flush=20ms if=$anybios_told;
  server_tokens off;
  sendfile on;
  # Of a file, before others have their turn: 3 ms on the fastest wire. With nginx's own 2m a room of machines takes 7 % longer.
  sendfile_max_chunk 8m;
  tcp_nopush on;
  keepalive_timeout 15s;
  keepalive_requests 100000;
  client_header_timeout 15s;
  client_body_timeout 60s;
  send_timeout 60s;
  reset_timedout_connection on;
${temporary.map((name) => `  ${name}_temp_path ${dir}/${name};`).join('\n')}
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_request_buffering off;
  proxy_read_timeout 1h;
  client_max_body_size 0;
  # The process that streams images says of each what to do; connections to it are used again.
  upstream anybios_images {
    server unix:${imageSocket};
    keepalive 512;
    keepalive_timeout 10s;
  }
  server {
    listen ${port} backlog=4096 reuseport;
    location / {
${toFront(socket)}
    }
    location ~ "^/images/sha256/[0-9a-f]{64}(/[^/]+)?$" {
      proxy_pass http://anybios_images;
      # No more than is read there.
      proxy_pass_request_headers off;
      proxy_pass_request_body off;
${headers('""')}
      proxy_set_header Range $http_range;
      proxy_set_header Accept-Encoding $http_accept_encoding;
      proxy_set_header Content-Length "";
      # While it starts again.
      error_page 502 = @front;
    }
    location @front {
${toFront(socket)}
    }
    location ${ACCEL_PREFIX} {
      internal;
      alias ${imagesDir}/sha256/;
      disable_symlinks on;
      default_type application/octet-stream;
      max_ranges 1;
      add_header Content-Encoding $upstream_http_content_encoding;
      add_header Vary Accept-Encoding;
    }
  }
}
`;
}

/** One connection for each request: the front sorts connections, and only their first requests. */
function toFront(socket: string): string {
  return `      proxy_pass http://unix:${socket}:;
${headers('close')}`;
}

/** nginx inherits none of them where one is set, so each place sets all. */
function headers(connection: string): string {
  return `      proxy_set_header Host $http_host;
      proxy_set_header Connection ${connection};
      proxy_set_header X-Anybios-Client $remote_addr;`;
}
