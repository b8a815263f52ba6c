import { cp, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transform, type Options } from '@swc/core';
import { planted, type PlantedBug } from './planted-bug.js';

const COPIED = [
  'src',
  'dist',
  '.build',
  'test',
  'example-app',
  'scripts',
  'package.json',
  'jest.config.js',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.tools.json',
  'README.md',
];

/** Where a source file is compiled to, for child processes that tests start. */
const COMPILED = ['dist', join('.build', 'src')];

/** A copy of the project in a temporary folder, for one bug at a time. */
export class WorkingCopy {
  private constructor(readonly folder: string) {}

  /** @param project its folder, built */
  static async of(project: string): Promise<WorkingCopy> {
    const folder = await mkdtemp(join(await realpath(tmpdir()), 'planted-bugs-'));
    for (const name of COPIED) await cp(join(project, name), join(folder, name), { recursive: true });
    await symlink(await realpath(join(project, 'node_modules')), join(folder, 'node_modules'), 'junction');
    return new WorkingCopy(folder);
  }

  /** Runs something with the bug in the code, source and compiled. */
  async with<T>(bug: PlantedBug, run: () => Promise<T>): Promise<T> {
    const path = join(this.folder, 'src', bug.file);
    const source = await readFile(path, 'utf8');
    const broken = planted(bug, source);
    await this.write(bug.file, broken);
    try {
      return await run();
    } finally {
      await this.write(bug.file, source);
    }
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }

  private async write(file: string, source: string): Promise<void> {
    await writeFile(join(this.folder, 'src', file), source);
    const { code } = await transform(source, { ...(await this.compilerOptions()), filename: file });
    for (const folder of COMPILED) {
      const compiled = join(this.folder, folder, file.replace(/\.ts$/, '.js'));
      if (existsSync(compiled)) await writeFile(compiled, code);
    }
  }

  /** Those by which Jest runs the sources. */
  private async compilerOptions(): Promise<Options> {
    const url = pathToFileURL(join(this.folder, 'jest.config.js')).href;
    const { default: config } = (await import(url)) as { default: { transform: Record<string, [string, Options]> } };
    const [[, options]] = Object.values(config.transform) as [[string, Options]];
    return { ...options, swcrc: false, configFile: false };
  }
}
