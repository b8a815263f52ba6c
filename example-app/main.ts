import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { openDatabase } from './database.js';
import { configureHttp } from './http.js';

const database = await openDatabase('example');
console.log(database.description);

const app = await NestFactory.create(AppModule.on(database.options, database.accountViews));
configureHttp(app);
await app.listen(Number(process.env.PORT || 3000), '127.0.0.1');

const url = await app.getUrl();
console.log(
  `The bank is open at ${url}, where accounts and permit cases change live; try it at ${url}/docs. Ctrl+C ends it.`,
);
