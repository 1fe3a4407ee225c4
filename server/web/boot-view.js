import { serverNow } from './api.js';
import { bytes, duration } from './format.js';
import { t } from './texts.js';

export const STAGES = ['dhcp', 'loader', 'script', 'kernel', 'stage1', 'rootfs', 'live', 'systems'];

/** The bar of the eight stages with one line below it. Built once; `show` changes texts and classes only. */
export function createBootView() {
  const root = document.getElementById('boot-template').content.firstElementChild.cloneNode(true);
  const bar = root.querySelector('.stages');
  const parts = STAGES.map((stage) => {
    const part = document.createElement('li');
    part.title = t(`stage_${stage}`);
    part.append(document.createElement('span'));
    bar.append(part);
    return part;
  });
  const [stageName, progress, elapsed] = ['.stage-name', '.progress', '.elapsed'].map((name) =>
    root.querySelector(name),
  );
  let boot;

  const tick = () => {
    if (boot === undefined) return;
    elapsed.textContent = duration(endOf(boot) - Date.parse(boot.openedAt));
  };

  const show = (next) => {
    boot = next;
    root.classList.toggle('none', boot === undefined);
    const reached = boot === undefined ? -1 : STAGES.indexOf(boot.stage);
    const finished = boot?.outcome === 'succeeded';
    const loading = boot?.outcome === 'running' && boot.progress?.total > 0 ? boot.progress : undefined;
    const percent =
      loading === undefined ? undefined : Math.min(100, Math.floor((100 * loading.bytes) / loading.total));
    parts.forEach((part, index) => {
      const current = index === reached && !finished;
      part.className = boot === undefined || index > reached ? '' : current ? `current ${boot.outcome}` : 'done';
      part.firstElementChild.style.inlineSize = current && percent !== undefined ? `${percent}%` : '';
      part.classList.toggle('measured', current && percent !== undefined);
    });
    if (boot === undefined) {
      stageName.textContent = t('noBoot');
      progress.textContent = '';
      elapsed.textContent = '';
      bar.setAttribute('aria-label', t('noBoot'));
      return;
    }
    const stage = t(`stage_${boot.stage}`);
    stageName.textContent = boot.outcome === 'running' ? stage : `${stage} · ${t(boot.outcome)}`;
    progress.textContent = loading === undefined ? '' : loadingText(loading, percent);
    bar.setAttribute('aria-label', `${t('stageOf', { stage, number: reached + 1 })}, ${t(boot.outcome)}`);
    tick();
  };
  return { root, show, tick };
}

/** What is being loaded, or where it stands in the queue of downloads. */
function loadingText({ file, bytes: loaded, total, place, waiting }, percent) {
  if (place !== undefined) return t('queued', { file, place, waiting: waiting ?? place });
  return `${percent} %  ${bytes(loaded)} / ${bytes(total)}  ${file}`;
}

/** A boot that goes on, or is stuck, counts up to now; one that succeeded or failed stands still. */
function endOf(boot) {
  if (boot.closedAt !== undefined) return Date.parse(boot.closedAt);
  return boot.outcome === 'failed' || boot.outcome === 'succeeded' ? Date.parse(boot.lastStepAt) : serverNow();
}
