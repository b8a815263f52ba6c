import { test } from 'vitest';
import { testKit } from '../dist/testing-kit.js';

testKit(test);
