// A small site on loopback: the host page, the engines' modules, and Relais below /relais.
import { createReadStream } from "node:fs";
import { createServer, request } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".ico": "image/x-icon" };

const serveFile = (path, response) => {
    const file = createReadStream(path);
    file.on("open", () => {
        response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? "application/octet-stream" });
        file.pipe(response);
    });
    file.on("error", () => response.writeHead(404).end());
};

// Heads and bodies pass as they are: Relais reads what the browser wrote.
const passOn = (relais, incoming, response) => {
    const target = new URL(incoming.url.slice("/relais".length), relais);
    const outgoing = request(target, { method: incoming.method, headers: { ...incoming.headers, host: target.host } },
        (answer) => {
            response.writeHead(answer.statusCode, answer.headers);
            answer.pipe(response);
        });
    outgoing.on("error", () => response.writeHead(502).end());
    incoming.pipe(outgoing);
};

// startSite({ pages, modules, relais }): resolves to the listening server.
export const startSite = ({ pages, modules, relais }) => new Promise((resolve) => {
    const server = createServer((incoming, response) => {
        const path = normalize(decodeURIComponent(new URL(incoming.url, "http://site").pathname));
        if (path.startsWith("/relais/")) {
            passOn(relais, incoming, response);
        } else if (path.startsWith("/modules/")) {
            serveFile(join(modules, path.slice("/modules/".length)), response);
        } else if (path.startsWith("/page/")) {
            serveFile(join(pages, path.slice("/page/".length)), response);
        } else {
            serveFile(join(pages, "index.html"), response);
        }
    });
    server.listen(0, "127.0.0.1", () => resolve(server));
});
