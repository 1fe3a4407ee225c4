import type { RequestHandler, Response } from 'express';
import { unauthorized } from '../domain/errors.js';
import type { Tokens } from './tokens.js';

const REMEDY = 'send "Authorization: Bearer TOKEN"; the first start wrote one to dataDir/admin.token';

/** Whose token an Authorization header holds. Throws `unauthorized`. */
export function nameBehind(tokens: Tokens, header: string | undefined): string {
  if (header === undefined) throw unauthorized('a token is needed', { remedy: REMEDY });
  const token = /^Bearer +([\w\-.~+/]+=*) *$/i.exec(header)?.[1];
  if (token === undefined) throw unauthorized('the Authorization header holds no bearer token', { remedy: REMEDY });
  const name = tokens.nameOf(token);
  if (name === undefined) throw unauthorized('this token is not (or no longer) valid', { remedy: REMEDY });
  return name;
}

/** Lets a request pass that carries a token of ours, and notes whose it is. */
export function requireToken(tokens: Tokens): RequestHandler {
  return (request, response, next) => {
    response.locals.tokenName = nameBehind(tokens, request.headers.authorization);
    next();
  };
}

/** Who asks: the name of the token. */
export function askedBy(response: Response): string {
  const name: unknown = response.locals.tokenName;
  return typeof name === 'string' ? name : 'nobody';
}
