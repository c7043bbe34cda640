class Queue:
    def __init__(self, jobs=()):
        self.jobs = list(jobs)

    def push(self, job):
        self.jobs.append(job)

    def __len__(self):
        return len(self.jobs)
