import { z } from 'zod';

/** Times leave the API like this. */
export const isoSchema = z.iso.datetime().meta({ example: '2026-11-21T05:46:54.000Z' });

/** Epoch milliseconds → ISO 8601 in UTC. */
export function iso(milliseconds: number): string;
export function iso(milliseconds: number | undefined): string | undefined;
export function iso(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();
}
