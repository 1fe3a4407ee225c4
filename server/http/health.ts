import { Router } from 'express';
import type { ApiDeps } from './api-deps.js';
import type { Metrics } from './metrics.js';

/** For watchers of the process, without a token: none of it names a machine. */
export function healthRoutes(deps: Pick<ApiDeps, 'notReady' | 'state'>, metrics: Metrics): Router {
  const router = Router();
  router.get('/healthz', (_request, response) => {
    response.type('text/plain').send('ok\n');
  });
  router.get('/readyz', (_request, response) => {
    const missing = deps.notReady();
    if (missing.length > 0) response.status(503);
    const { size } = deps.state.damaged;
    // The others are served: no reason to take the server out of its place.
    const damaged = size === 0 ? '' : `damaged files of images: ${size} (anybios image list --damaged)\n`;
    response
      .type('text/plain')
      .send((missing.length === 0 ? 'ready\n' : `not ready: ${missing.join('; ')}\n`) + damaged);
  });
  router.get('/metrics', (_request, response) => {
    response.type('text/plain; version=0.0.4').send(metrics.text());
  });
  return router;
}
