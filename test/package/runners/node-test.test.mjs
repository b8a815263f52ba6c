import { test } from 'node:test';
import { testKit } from '../dist/testing-kit.js';

testKit(test);
