import express, { type Express, type RequestHandler } from 'express';
import type { ApiDeps } from './api-deps.js';
import { requireToken } from './auth.js';
import { desiredRoutes } from './desired-routes.js';
import { errorHandler, noSuchRoute } from './errors.js';
import { eventRoutes } from './event-routes.js';
import { healthRoutes } from './health.js';
import { imageRoutes } from './image-routes.js';
import { jobRoutes } from './job-routes.js';
import { leaseRoutes } from './lease-routes.js';
import { machineChangeRoutes } from './machine-change-routes.js';
import { machineRoutes } from './machine-routes.js';
import { Metrics } from './metrics.js';
import { networkRoutes } from './network-routes.js';
import { API_BASE, openApiDocument } from './openapi.js';
import { profileRoutes } from './profile-routes.js';
import { mountRoutes, type Route } from './route.js';
import { sessionRoutes } from './session-routes.js';
import { siteRoutes } from './site-routes.js';
import { tokenRoutes } from './token-routes.js';
import { safeHeaders, webPage } from './web-page.js';

/** Every route of the API, in the order in which they are tried. */
function apiRoutes(deps: ApiDeps): Route[] {
  const { writer } = deps;
  return [
    ...machineRoutes(deps),
    ...machineChangeRoutes(deps, writer),
    ...desiredRoutes(deps, writer),
    ...siteRoutes(deps, writer),
    ...profileRoutes(deps),
    ...imageRoutes(deps),
    ...leaseRoutes(deps),
    ...networkRoutes(deps),
    ...jobRoutes(deps),
    ...sessionRoutes(deps),
    ...eventRoutes(deps),
    ...tokenRoutes(deps),
  ];
}

/** The HTTP side of the server: machines, API, status page. Listens nowhere; the caller does (http/listen.ts). */
export function createApp(deps: ApiDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  // Hashing every answer costs more than it saves; images have ETags of their own.
  app.set('etag', false);
  app.set('query parser', 'simple');
  app.use(safeHeaders);
  for (const { path, router } of deps.machineRoutes) app.use(path, router);
  app.use(healthRoutes(deps, new Metrics(deps)));

  const routes = apiRoutes(deps);
  const document = openApiDocument(routes, deps.version);
  app.use('/api', noStore, requireToken(deps.tokens));
  app.get(`${API_BASE}/openapi.json`, (_request, response) => {
    response.json(document);
  });
  app.use(API_BASE, mountRoutes(routes));
  app.use('/api', noSuchRoute);

  app.use(webPage());
  if (deps.otherNames !== undefined) app.use(deps.otherNames);
  app.use(noSuchRoute);
  app.use(errorHandler(deps.log));
  return app;
}

const noStore: RequestHandler = (_request, response, next) => {
  response.setHeader('Cache-Control', 'no-store');
  next();
};
