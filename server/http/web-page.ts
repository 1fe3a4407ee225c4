import express, { type RequestHandler, Router } from 'express';
import { webDir } from '../paths.js';

/**
 * Only our own files, and nothing inline: text of a machine that would become markup by some mistake still could not run.
 * `connect-src 'self'` lets the page talk to its own API only.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Sent with every answer. */
export const safeHeaders: RequestHandler = (_request, response, next) => {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  next();
};

/** The status page at `/`: static files without secrets. It asks for the token itself, since all its data comes from the API. */
export function webPage(): Router {
  const router = Router();
  router.use(
    express.static(webDir, {
      index: 'index.html',
      redirect: false,
      dotfiles: 'ignore',
      cacheControl: false,
      setHeaders: (response) => {
        response.setHeader('Content-Security-Policy', POLICY);
        response.setHeader('Cache-Control', 'no-cache');
      },
    }),
  );
  return router;
}
