import { test } from '@jest/globals';
import { testKit } from '../dist/testing-kit.js';

testKit(test);
