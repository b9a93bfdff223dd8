import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** Headers for every answer. `isEmbeddable`: the pages may stand in a window of the DSM desktop, which has the same origin. */
export function securityHeaders(isEmbeddable: boolean): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'style-src': ["'self'"],
        'script-src': ["'self'"],
        'img-src': ["'self'", 'data:'],
        'connect-src': ["'self'"],
        'form-action': ["'self'"],
        'base-uri': ["'none'"],
        'frame-ancestors': [isEmbeddable ? "'self'" : "'none'"],
      },
    },
    frameguard: { action: isEmbeddable ? 'sameorigin' : 'deny' },
    referrerPolicy: { policy: 'same-origin' },
    // It would bind every other port and service of the NAS to HTTPS too; that is for its administrator to decide.
    strictTransportSecurity: false,
    // Both only say that they are ignored where the page has no HTTPS.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  });
}
