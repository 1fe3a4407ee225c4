/** The part of a digest `DEFINITION.IMAGES.LIMITS` (docs/control.md). */
export type DigestPart = 'definition' | 'images' | 'limits';

/** The weightiest part in which two digests of a system differ; undefined = none, or the machine says none that we know. */
export function changedPart(seen: string, wanted: string): DigestPart | undefined {
  const [definition, images, limits] = seen.split('.');
  const [nowDefinition, nowImages, nowLimits] = wanted.split('.');
  if (definition === undefined || images === undefined || limits === undefined) return undefined;
  if (definition !== nowDefinition) return 'definition';
  if (limits !== nowLimits) return 'limits';
  return images === nowImages ? undefined : 'images';
}
