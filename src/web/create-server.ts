import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { CertificatePair } from './certificate.ts';

/** A request must be whole within this; answers, such as a stream of live numbers, may take as long as they like. */
const REQUEST_MS_MAX = 30_000;
export const HEADERS_MS_MAX = 10_000;
const KEEP_ALIVE_MS = 10_000;
const HEADER_BYTES_MAX = 32 * 1024;
/** Of all browsers together; a browser opens at most six. Each takes memory, also one that says nothing. */
export const CONNECTIONS_MAX = 500;

/** The HTTP or HTTPS server of the pages, not yet listening: one slow or hostile client cannot hold it. */
export function createWebServer(listener: RequestListener, certificate?: CertificatePair): Server {
  const limits = {
    requestTimeout: REQUEST_MS_MAX,
    headersTimeout: HEADERS_MS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
  };
  const server =
    certificate === undefined
      ? createServer(limits, listener)
      : createSecureServer({ ...limits, ...certificate, handshakeTimeout: HEADERS_MS_MAX }, listener);
  server.maxConnections = CONNECTIONS_MAX;
  return server;
}
