using Turbo.Bench.Load;

namespace Turbo.Bench.Peers;

/// <summary>nginx, where it is installed: one worker, no log, connections to the upstream kept, nothing buffered.</summary>
internal static class NginxPeer
{
    public static string? Program { get; } = Programs.Find("nginx");

    /// <summary>Writes its configuration into the folder and gives the command that runs it.</summary>
    public static string[] Command(string folder, int port, int upstreamPort)
    {
        string file = Path.Combine(folder, "nginx.conf");
        File.WriteAllText(file, $$"""
            {{(Environment.UserName == "root" ? "user root;" : "")}}
            daemon off;
            worker_processes 1;
            worker_rlimit_nofile 20000;
            pid {{folder}}/nginx.pid;
            error_log {{folder}}/error.log error;
            events { worker_connections 16384; multi_accept on; }
            http {
              access_log off;
              client_body_temp_path {{folder}}/body; proxy_temp_path {{folder}}/proxy; fastcgi_temp_path {{folder}}/fcgi;
              uwsgi_temp_path {{folder}}/uwsgi; scgi_temp_path {{folder}}/scgi;
              default_type text/plain;
              tcp_nodelay on;
              keepalive_timeout 300s; keepalive_requests 1000000000;
              upstream up { server 127.0.0.1:{{upstreamPort}}; keepalive 2048; keepalive_requests 1000000000; keepalive_timeout 300s; }
              server {
                listen 127.0.0.1:{{port}} backlog=4096;
                location = /plaintext { return 200 "Hello, World!"; }
                location = /json { default_type application/json; return 200 '{"message":"Hello, World!"}'; }
                location /v1/ {
                  proxy_pass http://up;
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                  proxy_set_header Host $host;
                  proxy_buffering off;
                  proxy_request_buffering off;
                  proxy_read_timeout 300s;
                }
              }
            }
            """);
        return [Program!, "-p", folder, "-e", Path.Combine(folder, "error.log"), "-c", file];
    }
}
