import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** How often a step was done, over all cases. */
@Entity()
export class StepCount {
  @PrimaryColumn('text') readonly step!: string;
  @Column('integer') readonly times!: number;
}

/** How many steps a user has done. */
@Entity()
export class UserCount {
  @PrimaryColumn('text') readonly user!: string;
  @Column('integer') readonly times!: number;
}

/** The last step of a case that is counted. Its version says how far the statistics have come in the case. */
@Entity()
export class LastStep {
  @PrimaryColumn('text') readonly caseId!: string;
  @Column('integer') readonly version!: number;
  @Column('text') readonly step!: string;
  @Column('text') readonly user!: string;
  /** When it was stored, as ISO text, which sorts by time. The page asks again and again for those that are the latest. */
  @Index()
  @Column('text')
  readonly storedAt!: string;
}
