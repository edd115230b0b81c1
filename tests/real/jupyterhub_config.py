# The hub that tests/real/jupyterhub starts: loopback only, all data below the working folder, which
# that script chooses. It says nothing about how a hub in production should be set up.
import os
import sys

c = get_config()  # noqa: F821 - given by JupyterHub
folder = os.getcwd()
public, hub, proxy_api = os.environ["HUB_PORTS"].split()

c.JupyterHub.bind_url = f"http://127.0.0.1:{public}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{hub}"
c.JupyterHub.db_url = f"sqlite:///{folder}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{folder}/cookie_secret"
c.JupyterHub.log_level = "INFO"
c.ConfigurableHTTPProxy.command = [os.environ["HUB_PROXY"]]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{proxy_api}"
c.ConfigurableHTTPProxy.pid_file = f"{folder}/proxy.pid"

# Who has an account may log in, and nobody else: what mappings/jupyterhub/README.md asks for.
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "a-password-for-all"
c.Authenticator.allow_all = False
c.Authenticator.allow_existing_users = True
c.Authenticator.admin_users = {"hub-admin"}

# In place of a notebook server a process that answers 200 to everything.
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.allow_named_servers = True
c.SimpleLocalProcessSpawner.home_dir_template = folder + "/homes/{username}"
STAND_IN = """
import http.server, os, urllib.parse
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    do_POST = do_GET
    def log_message(self, *_): pass
url = urllib.parse.urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.ThreadingHTTPServer((url.hostname, url.port), Answer).serve_forever()
"""
c.Spawner.cmd = [sys.executable, "-c", STAND_IN]

# Only an admin may make somebody an admin: the service has `admin`, and then needs no scopes. It is
# not named in the role `admin` of load_roles: a hub that finds that role there takes it from everybody
# else at each start. HUB_BRIDGE_ROLE=least is for trying what the scopes alone are good for.
least = os.environ.get("HUB_BRIDGE_ROLE") == "least"
c.JupyterHub.services = [
    {"name": "scim-bridge", "api_token": os.environ["HUB_BRIDGE_TOKEN"], "admin": not least},
    {"name": "looker", "api_token": os.environ["HUB_LOOKER_TOKEN"], "admin": True},
]
c.JupyterHub.load_roles = [
    {
        "name": "scim-bridge",
        "scopes": ["admin:users", "admin:groups", "read:servers", "delete:servers"],
        "services": ["scim-bridge"],
    },
]
