import { ValidationPipe, type INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { EventStoreExceptionFilter } from 'nestjs-dynamodb-event-store';

/** What the application does for every request. */
export function configureHttp(app: INestApplication): void {
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
  // Errors of the event store become HTTP answers: an unknown account 404, a lost race 409, DynamoDB down 503.
  app.useGlobalFilters(new EventStoreExceptionFilter());
  // On SIGTERM and Ctrl+C, the event store finishes its snapshots before the process ends.
  app.enableShutdownHooks();

  const description = new DocumentBuilder()
    .setTitle('Bank')
    .setDescription('Accounts whose whole history is kept, as events in DynamoDB.')
    .build();
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, description));
}
